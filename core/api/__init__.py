"""Every function that a page may call; the command line offers the same.

Pages import nothing else of `core` but the value types (experiment, options, results, events,
errors). Whatever needs torch is imported when it is called, so a page that shows results does not
wait for it.
"""

from core.api.models import (
    OpenModel,
    Source,
    has_latent,
    open_model,
    source_of_run,
    source_of_teacher,
)
from core.api.predictions import (
    Disagreement,
    Prediction,
    check_text,
    disagreements,
    predict,
    predictions,
)
from core.api.runs import (
    check,
    default_experiment,
    events,
    find_run,
    finished_runs,
    is_prepared,
    prefetch,
    rules,
    runs,
    shown_run,
    stop,
    submit,
    tasks,
    teachers,
    waiting_before,
)
from core.api.weights import (
    importances,
    latent_histogram,
    matrix_shapes,
    matrix_title,
    optimum_lines,
    rank_matrices,
    untrained_score,
    view_weight,
)

__all__ = [
    "Disagreement",
    "OpenModel",
    "Prediction",
    "Source",
    "check",
    "check_text",
    "default_experiment",
    "disagreements",
    "events",
    "find_run",
    "finished_runs",
    "has_latent",
    "importances",
    "is_prepared",
    "latent_histogram",
    "matrix_shapes",
    "matrix_title",
    "open_model",
    "optimum_lines",
    "predict",
    "predictions",
    "prefetch",
    "rank_matrices",
    "rules",
    "runs",
    "shown_run",
    "source_of_run",
    "source_of_teacher",
    "stop",
    "submit",
    "tasks",
    "teachers",
    "untrained_score",
    "view_weight",
    "waiting_before",
]
