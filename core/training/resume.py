"""Going on from a checkpoint, and keeping one up to date.

    def train(experiment, folder):
        yield from going_on(lambda keeper: ..., folder, experiment.run_id)

Writing takes at most 2 % of the training time: the next checkpoint is due when what all of them
took, and what the next will take, fits into that share. A run that is asked to stop writes one
more, so that Resume loses nothing. One that cannot be gone on from (damaged, or of another text,
teacher or version) is thrown away, the run begins again, and says so.
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
    Checkpoint,
    UnfitCheckpoint,
    capture,
    origin,
    read,
    restore,
    write,
)
from core.training.lessons import Lesson
from core.training.optimizer import Optimizer

SHARE = 0.02  # of the training time
SAID = "said."
BYTES_A_SECOND = 400e6  # assumed before the first checkpoint is timed: a slow disk


def going_on(
    training: Callable[["Keeper"], Generator[Event]], folder: Path | None, run_id: str
) -> Generator[Event]:
    """The events of a training that goes on from the folder's checkpoint, if it has one."""
    try:
        keeper = Keeper(folder, run_id, read(folder, run_id) if folder is not None else None)
        if keeper.resume is not None:
            yield Resumed(step=keeper.resume.step, text=_of_threads(keeper.resume.threads))
        yield from training(keeper)
    except UnfitCheckpoint as error:
        assert folder is not None
        (folder / FILE).unlink(missing_ok=True)
        yield Resumed(step=0, text=f"{error} So the run begins again.")
        yield from training(Keeper(folder, run_id, None))


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
        """Go on from there."""
        ...


class Keeper:
    """Keeps the one checkpoint of a run up to date, and knows where the run goes on from.

    Without a folder nothing is kept. `seconds` is what earlier attempts trained.
    """

    def __init__(self, folder: Path | None, run_id: str, resume: Checkpoint | None) -> None:
        self.folder, self.run_id, self.resume = folder, run_id, resume
        self.seconds = resume.seconds if resume else 0.0
        self._origin = ""
        self._said: dict[str, Tensor] = {}
        self._learning: tuple[nn.Module, Optimizer]
        self._others: dict[str, Stateful] = {}
        self._began = time.perf_counter()
        self._spent = self._last = 0.0  # seconds that all checkpoints took, and the last one

    def begin(self, lesson: Lesson, *models: nn.Module) -> None:
        """Say what the training starts from; raises UnfitCheckpoint when that has changed."""
        if self.folder is None:
            return
        self._origin = origin(lesson, *models)
        if self.resume is not None and self.resume.origin != self._origin:
            raise UnfitCheckpoint("Text or teacher have changed since the checkpoint was made.")

    @property
    def goes_on(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self.resume is not None

    def recalled(self) -> dict[str, np.ndarray]:
        """What was given to `remember` when the checkpoint was made."""
        kept = self.resume.tensors if self.resume else {}
        return {n.removeprefix(SAID): kept[n].numpy() for n in kept if n.startswith(SAID)}

    def remember(self, said: Mapping[str, np.ndarray]) -> None:
        """Keep these predictions with every checkpoint."""
        self._said = {SAID + name: torch.tensor(array) for name, array in said.items()}

    @property
    def step(self) -> int:
        """The step to go on after; 0 without a checkpoint."""
        return self.resume.step if self.resume else 0

    def restore(self, model: nn.Module, optimizer: Optimizer, **others: Stateful) -> int:
        """Bring the training to the checkpoint, if there is one; returns the steps done. From now
        on model, optimizer and `others` are what is kept."""
        done, resume = self.step, self.resume
        self._learning, self._others, self.resume = (model, optimizer), others, None
        if resume is not None:
            restore(resume.tensors, model, optimizer)
            for name, other in others.items():
                _restore(other, name, resume.tensors)
        self._began = time.perf_counter()
        return done

    def tell(self, events: list[Event], step: int) -> Generator[Event]:
        """Yield what a step has to tell, and write a checkpoint if it is time. If the training is
        closed after the last of them because somebody asked it to stop, write one too. One that
        cannot be written is told of, and the training goes on without."""
        yield from events[:-1]
        try:
            yield events[-1]
        except GeneratorExit:
            if self.folder is not None and (self.folder / "STOP").exists():
                with suppress(InputError):
                    self._keep(step)
            raise
        if self._is_due():
            try:
                self._keep(step)
            except InputError as error:
                yield Preparing(text=f"Going on without a new checkpoint: {error}")

    def _is_due(self) -> bool:
        if self.folder is None:
            return False
        if not self._last:
            self._last = sum(t.nbytes for t in self._state().values()) / BYTES_A_SECOND
        return self._spent + self._last <= SHARE * (time.perf_counter() - self._began)

    def _state(self) -> dict[str, Tensor]:
        """All that the next step depends on; the tensors are those in use."""
        found = capture(*self._learning) | self._said
        for name, other in self._others.items():
            found |= {f"{name}.{key}": tensor for key, tensor in other.state().items()}
        return found

    def _keep(self, step: int) -> None:
        assert self.folder is not None
        began = time.perf_counter()
        checkpoint = Checkpoint(
            run_id=self.run_id,
            step=step,
            seconds=self.seconds + began - self._began,
            origin=self._origin,
            threads=torch.get_num_threads(),
            tensors=self._state(),
        )
        try:
            write(self.folder, checkpoint)
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
