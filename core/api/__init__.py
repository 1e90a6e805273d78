"""Every function that a page may call; the command line offers the same.

Pages import nothing else of `core` but the value types (experiment, options, results, events,
errors). Whatever needs torch is imported when it is called, so a page that shows results does not
wait for it.
"""

# ruff: noqa: F401

from core.api.answering import Prediction, Span, check_text, predict
from core.api.bit_plans import (
    Kept,
    SizeAndLoss,
    cost_of_keeping,
    frontier_of,
    kept_bits,
    measure_losses,
    plan_start,
    planner_of,
    predict_losses,
    spelled_bits,
    widths_of,
)
from core.api.claims import Claim, claim
from core.api.comparisons import (
    Comparison,
    Grid,
    GridRow,
    Published,
    SeedDifference,
    agreement,
    compare_runs,
    grid_rows,
    grids,
    published,
)
from core.api.curated import Shows, good_and_bad
from core.api.disagreements import Disagreement, disagreements, predictions
from core.api.file_sizes import FileSize, foreseen_size
from core.api.ladders import (
    LADDER_BITS,
    SCALES,
    Ladder,
    LadderQuestion,
    LadderRow,
    compute_ladder,
    known_ladder,
    ladder_question,
    ladder_rows,
)
from core.api.models import (
    OpenModel,
    Source,
    has_latent,
    open_model,
    source_of_run,
    source_of_teacher,
)
from core.api.nearest_run import Difference, Shown, related, shown_run
from core.api.packed_files import (
    EXPORT_KINDS,
    LAYOUTS,
    LEFTOVERS,
    Check,
    ExportKind,
    Inspected,
    Measured,
    check_read_back,
    cores,
    engine_is_installed,
    export,
    export_bytes,
    export_name,
    inspect_file,
    inspect_format,
    packed_contents,
    race,
    verify_file,
)
from core.api.passage_search import FIRST_STAGE, Ranking, asked_like, find_candidates, rank, sample
from core.api.quality_gate import (
    Gate,
    PairSpread,
    examples_to_show,
    gate,
    judge,
    smallest_to_show,
    spread_of,
)
from core.api.runs import (
    check,
    default_experiment,
    default_teaching,
    embedded_models,
    events,
    find_run,
    finished_runs,
    has_trained_head,
    is_prepared,
    note_on_events,
    prefetch,
    rules,
    runs,
    showcase,
    stop,
    submit,
    tasks,
    teachers,
    waiting_before,
)
from core.api.see_inside import (
    MOST_UNITS,
    Inside,
    compare_inside,
    examine_input,
    look_inside,
    open_to_look,
)
from core.api.server import (
    Forecast,
    check_pin,
    forecast_of,
    is_known,
    is_local_path,
    is_under_way,
    local_paths,
    quota_bytes,
    remove_runs,
    replaces_teacher,
    step_kept,
    used_bytes,
)
from core.api.text_coverage import Reading
from core.api.texts import (
    augmented_examples,
    bad_rows,
    check_rows,
    class_names,
    delete_data,
    examples,
    first_rows,
    guess_plan,
    has_classes,
    keep_data,
    label_kind,
    length_of,
    read_files,
    read_table,
)
from core.api.weight_views import (
    importances,
    is_table,
    latent_histogram,
    matrix_shapes,
    matrix_title,
    optimum_lines,
    rank_matrices,
    untrained_score,
    view_weight,
)
from core.machine import give_back_memory, tidy_memory
from core.recipes.presets import PRESETS, Preset
