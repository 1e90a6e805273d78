"""What is loaded or computed once for all sessions: models, and answers that cannot change.

`cache_resource` hands the same object to everybody, so nothing here is ever modified. Models are
bounded: one takes some 40 MB of memory; answers are small and many.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from core import api
from core.events import Preparing
from core.runs.run_store import Run
from pages.ui import state
from pages.ui.formatting import plain

if TYPE_CHECKING:
    from core.analysis.matrix_view import WeightView
    from core.analysis.sensitivity import FewRows

Answer = TypeVar("Answer")
MAX_MODELS, MAX_ANSWERS = 12, 64
MAX_LOOKED_INTO, MAX_INSIDES = 4, 8  # a look at 128 tokens of a large model takes some 15 MB


def by_folder(run: Run) -> tuple[str, int]:
    """A finished run as a key: its folder, and when that last changed."""
    try:
        return str(run.folder), run.folder.stat().st_mtime_ns
    except OSError:  # deleted this very moment
        return str(run.folder), 0


@st.cache_resource
def _loading() -> threading.Lock:
    return threading.Lock()


@st.cache_resource(max_entries=MAX_MODELS, show_spinner="Loading the model ...")
def model(source: api.Source) -> api.OpenModel:
    """The model of a source; shared, read-only."""
    with _loading():  # one after the other: each needs several times what it keeps
        opened = api.open_model(source, lean=True)
        api.give_back_memory()
    return opened


@st.cache_resource(max_entries=2, show_spinner=False)
def contents(source: api.Source):
    """The codes and leftovers of a run's packed file."""
    return api.packed_contents(api.find_run(source.run_id))


@st.cache_resource(max_entries=64, show_spinner="Packing ...")
def inspected(source: api.Source, kind: api.ExportKind) -> api.Inspected:
    """A run's packed file as it would be written."""
    return api.inspect_format(contents(source), kind)


@st.cache_resource(max_entries=64, show_spinner="Writing, reading back, comparing ...")
def read_back(source: api.Source, kind: api.ExportKind) -> list[api.Check]:
    """What came out of writing and reading a run's packed file."""
    return api.check_read_back(api.find_run(source.run_id), kind)


@st.cache_data(max_entries=500, show_spinner=False)
def prediction(source: api.Source, *texts: str) -> api.Prediction:
    """The answer of one model to one text."""
    return api.predict(model(source), *texts)


@st.cache_resource(max_entries=MAX_LOOKED_INTO, show_spinner="Opening the model to look inside ...")
def _in_torch(source: api.Source) -> api.OpenModel:
    with _loading():
        opened = api.open_to_look(source)
        api.give_back_memory()
    return opened


@st.cache_resource(max_entries=MAX_INSIDES, show_spinner="Looking inside ...")
def inside(source: api.Source, row: int, *texts: str) -> api.Inside:
    """What happens in one model on one text. Raises InputError."""
    return api.look_inside(_with_torch(source), *texts, row=row)


@st.cache_data(max_entries=100, show_spinner=False)
def examined(source: api.Source, row: int, title: str, bits: int, *texts: str):
    """What enters one matrix, and what ranges cut off of it. Raises InputError."""
    return api.examine_input(_with_torch(source), title, bits, *texts, row=row)


def _with_torch(source: api.Source) -> api.OpenModel:
    opened = model(source)
    return opened if opened.model is not None else _in_torch(source)


@st.cache_data(max_entries=500, show_spinner=False)
def ranking(source: api.Source, query: str, numbers: tuple[int, ...]) -> api.Ranking:
    """Passages ranked by one model. Raises InputError."""
    return api.rank(model(source), query, numbers)


@st.cache_resource(max_entries=200, show_spinner=False)
def latent_histogram(source: api.Source, name: str):
    """Edges and counts of a matrix's latent weights."""
    return api.latent_histogram(model(source), name)


@st.cache_resource(max_entries=500, show_spinner=False)
def optimum_lines(source: api.Source, name: str, bits: int, granularity: str):
    """Where the exact optimum's outermost levels lie."""
    return api.optimum_lines(model(source), name, bits, granularity)


@st.cache_resource(max_entries=500, show_spinner=False, hash_funcs={Run: by_folder})
def comparison(other: Run, who: str, run: Run) -> api.Comparison:
    """The paired test of another run's model ("teacher", ...) and a run's student, the second.
    Raises InputError."""
    return api.compare_runs(other, run, (who, "student"))


@st.cache_resource(max_entries=500, show_spinner=False, hash_funcs={Run: by_folder})
def pair_spread(other: Run, who: str, run: Run) -> api.PairSpread:
    """How another run's model and a run's student differ from example to example of test. Raises
    InputError."""
    return api.spread_of(other, run, (who, "student"))


@st.cache_resource(max_entries=64, show_spinner="Comparing ...", hash_funcs={Run: by_folder})
def disagreements(run: Run) -> list[api.Disagreement]:
    """The dev examples that teacher and student of a run answer differently. Raises InputError."""
    return api.disagreements(run)


@st.cache_resource(max_entries=200, show_spinner="Comparing ...", hash_funcs={Run: by_folder})
def _grid_rows(grid: api.Grid, runs: tuple[Run, ...]) -> list[api.GridRow]:
    return api.grid_rows(grid, {run.run_id: run for run in runs})


def grid_rows(grid: api.Grid, runs: Mapping[str, Run]) -> list[api.GridRow]:
    """The cases of a grid, each against the reference."""
    wanted = [one.experiment.run_id for one in grid.runs]
    return _grid_rows(grid, tuple(runs[run_id] for run_id in wanted if run_id in runs))


@st.cache_resource(max_entries=2, show_spinner="Measuring which weights matter ...")
def importances(source: api.Source) -> "dict[str, FewRows]":
    """The importance of every weight of a model. Raises InputError without the task's text."""
    opened = model(source)
    with _loading():
        found = last(api.importances(opened))
        api.tidy_memory()
    return found


@st.cache_resource(max_entries=200, show_spinner="Quantizing ...")
def weight_view(
    source: api.Source, name: str, quant: tuple[str, int, str], weighted: bool
) -> "WeightView":
    """One matrix under (method, bits, granularity), with the importance if `weighted`."""
    importance = importances(source)[name].whole() if weighted else None
    latent = latent_histogram(source, name)
    optimum = optimum_lines(source, name, *quant[1:])
    return api.view_weight(model(source), name, quant, latent, optimum, importance)


@st.cache_resource
def _answers() -> tuple[threading.Lock, OrderedDict[Hashable, Any]]:
    return threading.Lock(), OrderedDict()


def known(key: Hashable) -> Any:
    """The answer kept under `key`, or None."""
    lock, kept = _answers()
    with lock:
        return kept.get(key)


def answer(key: Hashable, compute: Callable[[], Generator[Preparing, None, Answer]]) -> Answer:
    """The answer kept under `key`; else compute it with a progress bar and keep it for all."""
    found = known(key)
    if found is not None:
        return found
    found = shown(compute())
    lock, kept = _answers()
    with lock:
        kept[key] = found
        while len(kept) > MAX_ANSWERS:
            kept.popitem(last=False)
    return found


def let_go() -> None:
    """Forget what is large and had again in a second or four: models, importances, files."""
    heavy = (model, _in_torch, inside, importances, weight_view, contents, inspected, read_back)
    for kept in heavy:
        kept.clear()


def shown(computing: Generator[Preparing, None, Answer]) -> Answer:
    """Run a generator to its end with a progress bar; its return value."""
    bar = st.progress(0.0)
    try:
        while True:
            step = next(computing)
            bar.progress(step.done / step.total if step.total else 0.0, text=plain(step.text))
    except StopIteration as end:
        return end.value
    finally:
        bar.empty()


def on_demand(
    asked: bool, key: Hashable, compute: Callable[[], Generator[Preparing, None, Answer]]
) -> Answer | None:
    """A slow answer, when it is asked for or already known; else None."""
    return answer(key, compute) if asked or known(key) is not None else None


def last(computing: Generator[Preparing, None, Answer]) -> Answer:
    """Run a generator to its end, without showing its progress; its return value. It ends early
    when the tab that asked for it is closed."""
    try:
        while True:
            next(computing)
            state.check_wanted()
    except StopIteration as end:
        return end.value
