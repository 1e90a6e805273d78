"""Going on from a checkpoint, and keeping one up to date.

    def train(experiment, folder):
        yield from going_on(lambda keeper: ..., folder, experiment.run_id)

Writing takes at most 2 % of the training time: the next checkpoint is due when what all of them
took, and what the next will take, fits into that share. A run that is asked to stop writes one
more, so that Resume loses nothing. One that cannot be gone on from (damaged, or of another text,
teacher or version) is thrown away, the run begins again, and says so.
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import InputError
from core.events import Event, Preparing, Resumed
from core.training.checkpoint_header import FILE
from core.training.checkpoints import (
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
            yield Resumed(step=keeper.resume.step)
        yield from training(keeper)
    except UnfitCheckpoint as error:
        assert folder is not None
        (folder / FILE).unlink(missing_ok=True)
        yield Resumed(step=0, text=f"{error} So the run begins again.")
        yield from training(Keeper(folder, run_id, None))


class Keeper:
    """Keeps the one checkpoint of a run up to date, and knows where the run goes on from.

    Without a folder nothing is kept. `seconds` is what earlier attempts trained.
    """

    def __init__(self, folder: Path | None, run_id: str, resume: Checkpoint | None) -> None:
        self.folder, self.run_id, self.resume = folder, run_id, resume
        self.seconds = resume.seconds if resume else 0.0
        self._origin = ""
        self._said: dict[str, Tensor] = {}
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

    def restore(self, model: nn.Module, optimizer: Optimizer) -> int:
        """Bring the training to the checkpoint, if there is one; returns the steps done."""
        done = 0
        if self.resume is not None:
            restore(self.resume.tensors, model, optimizer)
            done, self.resume = self.resume.step, None  # its memory is free again
        self._began = time.perf_counter()
        return done

    def keep(self, step: int, model: nn.Module, optimizer: Optimizer) -> Iterator[Preparing]:
        """Write a checkpoint if it is time; one that cannot be written is told of, and the
        training goes on without."""
        if self.folder is None:
            return
        if not self._last:
            size_bytes = sum(t.nbytes for t in capture(model, optimizer).values())
            self._last = size_bytes / BYTES_A_SECOND
        if self._spent + self._last > SHARE * (time.perf_counter() - self._began):
            return
        try:
            self.keep_now(step, model, optimizer)
        except InputError as error:
            yield Preparing(text=f"Going on without a new checkpoint: {error}")

    @contextmanager
    def stopped_here(self, step: int, model: nn.Module, optimizer: Optimizer) -> Generator[None]:
        """Around the `yield` of a step: if the training is closed there because somebody asked it
        to stop, write a last checkpoint. A full disk is no reason to stay."""
        try:
            yield
        except GeneratorExit:
            if self.folder is not None and (self.folder / "STOP").exists():
                with suppress(InputError):
                    self.keep_now(step, model, optimizer)
            raise

    def keep_now(self, step: int, model: nn.Module, optimizer: Optimizer) -> None:
        """Write a checkpoint; raises InputError when the disk refuses."""
        assert self.folder is not None
        began = time.perf_counter()
        checkpoint = Checkpoint(
            run_id=self.run_id,
            step=step,
            seconds=self.seconds + began - self._began,
            origin=self._origin,
            tensors=capture(model, optimizer) | self._said,
        )
        try:
            write(self.folder, checkpoint)
        finally:
            self._last = time.perf_counter() - began
            self._spent += self._last
