"""Resuming from a checkpoint, and keeping one up to date.

    def train(experiment, folder):
        yield from resume_or_start(lambda resumed: ..., folder, experiment.run_id)

Writing takes at most 2 % of the training time: the next checkpoint is due when what all of them
took, and what the next will take, fits into that share. A run that is asked to stop writes one
more, so that Resume loses nothing. A checkpoint that does not fit (damaged, or of another text,
teacher or version) is deleted, the run begins again, and says so.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import InputError
from core.events import Event, Preparing, Resumed
from core.training.checkpoint_header import FILE
from core.training.checkpoints import (
    OTHER_VERSION,
    PREDICTIONS,
    Checkpoint,
    UnfitCheckpoint,
    capture,
    read,
    restore,
    write,
)
from core.training.optimizer import Optimizer

SHARE = 0.02  # of the training time
BYTES_A_SECOND = 400e6  # assumed before the first checkpoint is timed: a slow disk


def resume_or_start(
    training: Callable[[Checkpoint | None], Generator[Event]], folder: Path | None, run_id: str
) -> Generator[Event]:
    """The events of a training that resumes from the folder's checkpoint, if it has one."""
    try:
        resumed = read(folder, run_id) if folder is not None else None
        if resumed is not None:
            yield Resumed(step=resumed.step, text=_of_threads(resumed.threads))
        yield from training(resumed)
    except UnfitCheckpoint as error:
        assert folder is not None
        (folder / FILE).unlink(missing_ok=True)
        yield Resumed(step=0, text=f"{error} So the run begins again.")
        yield from training(None)


def _of_threads(before: int) -> str:
    """What differs from a run that never stopped, where its steps were taken on other threads."""
    now = torch.get_num_threads()
    if now == before:
        return ""
    return (
        f"The run goes on with another number of threads ({now} instead of {before}). Sums are "
        "then taken in another order: its last digits may not be those of a run that never stopped."
    )


class Stateful(Protocol):
    """Something beside model and optimizer that carries state from step to step."""

    def state(self) -> dict[str, Tensor]:
        """What the next steps depend on."""
        ...

    def restore(self, state: Mapping[str, Tensor], /) -> None:
        """Continue from there."""
        ...


class Checkpointer:
    """Keeps the one checkpoint of a run up to date; without a folder none is kept.

    origin       of what the training starts from (see `checkpoints.origin`), taken before anything
                 changes the models: a checkpoint of another one does not fit
    learning     the model that learns, and its optimizer
    others       what else carries state from step to step, by name
    predictions  kept with every checkpoint, so that they need not be computed again
    resumed      the checkpoint to resume from: everything above is brought to where it stood, and
                 its tensors are then released

    Raises UnfitCheckpoint where `resumed` does not fit.
    """

    def __init__(
        self,
        folder: Path | None,
        run_id: str,
        *,
        origin: str,
        learning: tuple[nn.Module, Optimizer],
        others: Mapping[str, Stateful] | None = None,
        predictions: Mapping[str, np.ndarray] | None = None,
        resumed: Checkpoint | None = None,
    ) -> None:
        self._folder, self._run_id = folder, run_id
        self._learning, self._others = learning, dict(others or {})
        found = {} if folder is None else predictions or {}
        self._predictions = {PREDICTIONS + name: torch.tensor(found[name]) for name in found}
        self._earlier_seconds, self._origin = 0.0, origin
        if resumed is not None:
            self._earlier_seconds = resumed.seconds
            restore(resumed.tensors, *learning)
            for name, other in self._others.items():
                _restore(other, name, resumed.tensors)
            resumed.tensors.clear()
        self._began = time.perf_counter()
        self._spent = self._last = 0.0  # seconds that all checkpoints took, and the last one

    def after_step(self, events: list[Event], step: int) -> Generator[Event]:
        """Yield the step's events, then write a checkpoint if one is due. Also writes one when the
        generator is closed by a stop request. A failed write is reported as an event; training
        continues."""
        yield from events[:-1]
        try:
            yield events[-1]
        except GeneratorExit:
            if self._folder is not None and (self._folder / "STOP").exists():
                with suppress(InputError):
                    self._write(step)
            raise
        if self._is_due():
            try:
                self._write(step)
            except InputError as error:
                yield Preparing(text=f"Going on without a new checkpoint: {error}")

    def _is_due(self) -> bool:
        if self._folder is None:
            return False
        if not self._last:
            self._last = sum(t.nbytes for t in self._state().values()) / BYTES_A_SECOND
        return self._spent + self._last <= SHARE * (time.perf_counter() - self._began)

    def _state(self) -> dict[str, Tensor]:
        """All that the next step depends on; the tensors are those in use."""
        found = capture(*self._learning) | self._predictions
        for name, other in self._others.items():
            found |= {f"{name}.{key}": tensor for key, tensor in other.state().items()}
        return found

    def _write(self, step: int) -> None:
        assert self._folder is not None
        began = time.perf_counter()
        checkpoint = Checkpoint(
            run_id=self._run_id,
            step=step,
            seconds=self._earlier_seconds + began - self._began,
            origin=self._origin,
            threads=torch.get_num_threads(),
            tensors=self._state(),
        )
        try:
            write(self._folder, checkpoint)
        finally:
            self._last = time.perf_counter() - began
            self._spent += self._last


def _restore(other: Stateful, name: str, tensors: Mapping[str, Tensor]) -> None:
    prefix = f"{name}."
    mine = {n.removeprefix(prefix): tensors[n] for n in tensors if n.startswith(prefix)}
    try:
        other.restore(mine)
    except (KeyError, RuntimeError) as error:
        raise UnfitCheckpoint(OTHER_VERSION) from error
