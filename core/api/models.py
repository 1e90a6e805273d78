"""Opening models: a teacher, the teacher quantized without training, a student, or its latents."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.api.runs import find_run
from core.errors import InputError, one_of
from core.experiment import Experiment, QuantRecipe
from core.runs.run_store import Run

if TYPE_CHECKING:
    from core.family import Family
    from core.packed.contents import Contents
    from core.targets.target import Target
    from core.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a model comes from. kind: "teacher", "untrained" (the teacher quantized by `quant`,
    not trained), "run" (the packed student of `run_id`), or "latent" (the full-precision weights
    that training `run_id` ended with). `stamp` is the time of its files: what is loaded and kept
    under a Source is loaded again when they change (see `source_of_teacher`)."""

    kind: str
    task: str
    model: str
    quant: QuantRecipe | None = None
    run_id: str = ""
    stamp: float = 0.0


def source_of_teacher(task: str, model: str, quant: QuantRecipe | None = None) -> Source:
    """The teacher of (task, model), or with `quant` the teacher quantized without training."""
    from core.paths import find
    from core.teacher_folders import teacher_folder

    folder = find("teachers", teacher_folder(task, model), "model.safetensors")
    stamp = folder.stat().st_mtime if folder else 0.0
    kind = "untrained" if quant else "teacher"
    return Source(kind=kind, task=task, model=model, quant=quant, stamp=stamp)


def source_of_run(run: Run, kind: str = "run") -> Source:
    """The packed student of a finished run, or with kind "latent" its latent weights."""
    assert run.experiment is not None
    file = run.folder / "model.safetensors"
    return Source(
        kind=kind,
        task=run.experiment.task,
        model=run.experiment.model,
        run_id=run.run_id,
        stamp=file.stat().st_mtime if file.exists() else 0.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenModel:
    """A loaded model, ready to predict; shared by all sessions, so never changed. A quantized model
    has its integer `engine` beside the torch model, where that is installed, or instead of it.
    `threshold` is the model's own for "no answer". `keeps_texts_apart`: rows of one length that are
    computed together have the logits that each has alone."""

    source: Source
    task: "Task"
    family: "Family"
    model: Any
    config: Any
    tokenizer: Any
    size_bytes: int
    threshold: float
    engine: Any = None
    keeps_texts_apart: bool = False

    @property
    def target(self) -> "Target":
        """What its task asks."""
        return self.task.target


def open_model(source: Source, lean: bool = False) -> OpenModel:
    """Load a model; raises InputError when it is not there or damaged. With `lean` a quantized one
    that has an engine comes without its torch model, which takes twice to four times the memory,
    and one that has none keeps the codes of its words instead of their values.

    From then on this process computes with one thread: sessions are many, a training beside them
    wants every core, and two teams of threads on the same cores wait for each other (a second of
    work was seen to take ten).
    """
    import torch

    from core.tasks.registry import find_task
    from core.teachers.teacher_store import teacher_tokenizer

    torch.set_num_threads(1)
    one_of("Kind of model", source.kind, ("teacher", "untrained", "run", "latent"))
    opened = {"run": _load_run, "untrained": _load_untrained}.get(source.kind, _load_full)
    loaded = opened(source, lean)
    return OpenModel(
        source=source,
        task=find_task(source.task),
        family=loaded.family,
        model=loaded.model,
        config=loaded.config,
        tokenizer=teacher_tokenizer(source.task, source.model),
        size_bytes=loaded.size_bytes,
        threshold=loaded.threshold,
        engine=loaded.engine,
        keeps_texts_apart=loaded.keeps_texts_apart,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Loaded:
    family: "Family"
    model: Any
    config: Any
    size_bytes: int
    threshold: float
    engine: Any = None
    keeps_texts_apart: bool = False


def _load_run(source: Source, lean: bool) -> _Loaded:
    """The packed student of a run; its teacher need not be there."""
    from core.runs.run_files import MODEL_FILE, student_of

    run = find_run(source.run_id)
    contents = student_of(run)
    threshold = run.result.threshold if run.result else 0.0
    return _computing(contents, (run.folder / MODEL_FILE).stat().st_size, threshold, lean)


def _load_untrained(source: Source, lean: bool) -> _Loaded:
    """A teacher quantized without training, computing as its packed file would."""
    from core.models.student import become_student
    from core.packed import file
    from core.packed.choices import FLOAT32, TWO_BIT
    from core.teacher_folders import load_card
    from core.teachers.teacher_store import family_of_teacher, load_teacher
    from core.training.static_ranges import calibrate_copy

    threshold = load_card(source.task, source.model).threshold
    quant, family = source.quant or QuantRecipe(), family_of_teacher(source.task, source.model)
    experiment = Experiment(task=source.task, model=source.model, quant=quant, family=family.name)
    student = become_student(load_teacher(source.task, source.model), quant, family)
    calibrate_copy(student, source.task, source.model, quant, family)
    contents = file.contents_of(student, experiment)
    del student  # before the model that computes takes as much again
    size_bytes = len(file.contents_to_bytes(contents, TWO_BIT, FLOAT32))
    return _computing(contents, size_bytes, threshold, lean)


def _computing(contents: "Contents", size_bytes: int, threshold: float, lean: bool) -> _Loaded:
    """A quantized model that computes: by the engine, in torch, or (not `lean`) as either."""
    from core.packed import engine, file
    from core.packed.contents import keep_codes

    found = engine.engine_if_possible(contents)
    model = None if lean and found is not None else file.assembled(contents)
    if lean and model is not None:
        keep_codes(model, contents)
    return _Loaded(
        family=contents.family,
        model=model,
        config=contents.config,
        size_bytes=size_bytes,
        threshold=threshold,
        engine=found,
        keeps_texts_apart=contents.experiment.quant.keeps_texts_apart,
    )


def _load_full(source: Source, lean: bool) -> _Loaded:
    """A teacher, or a run's latent weights; neither has an engine, so both are there in torch."""
    from core.teacher_folders import load_card
    from core.teachers.teacher_store import family_of_teacher, load_teacher

    threshold = load_card(source.task, source.model).threshold
    if source.kind == "latent":
        model = load_latent(find_run(source.run_id))
    else:
        model = load_teacher(source.task, source.model)
    size_bytes = 4 * sum(p.numel() for p in model.parameters())
    return _Loaded(
        family=family_of_teacher(source.task, source.model),
        model=model,
        config=model.config,
        size_bytes=size_bytes,
        threshold=threshold,
    )


def has_latent(run: Run, task: str, model: str) -> bool:
    """Whether the run is of this teacher and has kept its latent weights."""
    if run.experiment is None or run.experiment.student_model:
        return False
    wanted = run.experiment.task, run.experiment.model
    return wanted == (task, model) and (run.folder / "latent.safetensors").exists()


def load_latent(run: Run) -> Any:
    """The teacher's network with the latent weights of a run in place of its own.

    Only quantized matrices differ: what stayed in full precision is the teacher's. Raises
    InputError when the run did not keep them.
    """
    import torch

    from core.families import find_family
    from core.family import address_of
    from core.runs.run_files import latent_of
    from core.teachers.teacher_store import load_teacher

    if run.experiment is None:
        raise InputError(f"Run {run.run_id} trains no student, so it has no latent weights.")
    if run.experiment.student_model:
        raise InputError(
            f"The student of run {run.run_id} did not start from its teacher, so its latent "
            "weights do not fit the teacher's network. Look at its packed weights."
        )
    try:
        latent = latent_of(run)
    except InputError as error:
        raise InputError(
            f"Run {run.run_id} has kept no latent weights that can be read: {error} Train it "
            "again with: python -m core run --fresh, or look at another run."
        ) from error
    model = load_teacher(run.experiment.task, run.experiment.model)
    known, family = dict(model.named_parameters()), find_family(run.experiment.family)
    for name, weight in latent.items():
        address = address_of(family, name)
        own = known.get(address)
        if own is None or own.shape != weight.shape or not bool(weight.isfinite().all()):
            raise InputError(f"The latent weights of run {run.run_id} do not fit its teacher.")
        values = torch.nn.Parameter(weight.float(), requires_grad=False)
        module, _, parameter = address.rpartition(".")
        setattr(model.get_submodule(module), parameter, values)
    return model
