"""What a student does: look, turn knobs, ask, train, compare; a breath between two clicks.

Students are alike but not the same: their choices come from their number, so that some are shared
(and answered from what is kept) and some are not.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable

from core.runs import run_store
from tests.load.visitor import Visitor

THINKING_SECONDS = (2.0, 6.0)
WORDS = (
    "a",
    "the",
    "film",
    "plot",
    "cast",
    "quiet",
    "dull",
    "warm",
    "great",
    "awful",
    "slow",
    "and",
)
# Method, steps, seed: the first is among the shipped runs, the others are trained meanwhile.
EXPERIMENTS = (("twn", 300, 0), ("lat", 300, 1), ("twn", 1000, 2), ("lat", 2000, 3))
SHIPPED_RUN = next(
    (run.run_id for run in run_store.list_runs() if run.shipped and run.keeps_student), ""
)

Note = Callable[[str, float], None]


class Student:
    """One visitor with a mind of its own; `note` gets the page and the seconds of each click."""

    def __init__(self, number: int, address: str, note: Note, thinking=THINKING_SECONDS) -> None:
        self.address, self.note, self.thinking = address, note, thinking
        self.chance = random.Random(number)
        self.errors: list[str] = []

    async def learn(self, until: Callable[[], bool]) -> None:
        """The lesson, again and again until it is over."""
        self.visitor = await Visitor.arrive(self.address)
        try:
            while not until():
                for page in (self.start, self.weights, self.predict, self.train, self.compare):
                    await page()
                    if until():
                        break
        finally:
            await self.visitor.leave()
            self.errors += self.visitor.errors

    async def start(self) -> None:
        """Read, and try a sentence."""
        await self.click("Start", self.visitor.open(""))
        await self.click("Start", self.visitor.change("text_movie-sentiment", self.sentence()))

    async def weights(self) -> None:
        """Turn every knob once."""
        choose = self.chance.choice
        await self.click("Weights", self.visitor.open("weights"))
        for key, value in (
            ("method", choose(["twn", "lat", "optimal", "uniform"])),
            ("weight_bits", [choose([2, 3, 4, 8])]),
            ("weight_granularity", [choose(["layer", "row"])]),
            ("matrix", choose(self.visitor.options("matrix"))),
            ("columns", [choose([1, 2, 3])]),
            ("method", choose(["twn", "lat", "absmean"])),
        ):
            if self.visitor.has(key):  # the word embedding has bits of its own
                await self.click("Weights", self.visitor.change(key, value))

    async def predict(self) -> None:
        """Two sentences through another student; where do teacher and student part?"""
        await self.click("Predict", self.visitor.open("predict"))
        student = self.chance.choice(self.visitor.options("student"))
        await self.click("Predict", self.visitor.change("student", student))
        for _ in range(2):
            if self.visitor.has("text_movie-sentiment"):
                asked = self.visitor.change("text_movie-sentiment", self.sentence())
                await self.click("Predict", asked)
        if self.visitor.has("show"):
            await self.click("Predict", self.visitor.change("show", ["teacher better"]))

    async def train(self) -> None:
        """Start one of the lesson's experiments and watch it for a while."""
        method, steps, seed = self.chance.choice(EXPERIMENTS)
        await self.click("Train", self.visitor.open("train"))
        await self.click("Train", self.visitor.change("method", method))
        await self.click("Train", self.visitor.change("steps", steps))
        await self.click("Train", self.visitor.change("seed", seed))
        await self.click("Train", self.visitor.press("Start"))
        await asyncio.sleep(self.chance.uniform(*self.thinking))

    async def compare(self) -> None:
        """Look, and click on a student."""
        await self.click("Compare", self.visitor.open("compare"))
        if self.visitor.has("score-against-size"):
            clicked = json.dumps({"selection": {"picked": [{"run": SHIPPED_RUN}]}})
            await self.click("Compare", self.visitor.change("score-against-size", clicked))

    async def click(self, page: str, asked: Awaitable[float]) -> None:
        """Note how long it took, then think."""
        self.note(page, await asked)
        await asyncio.sleep(self.chance.uniform(*self.thinking))

    def sentence(self) -> str:
        """One in three asks what others ask too."""
        source = (
            random.Random(self.chance.randrange(4)) if self.chance.random() < 0.33 else self.chance
        )
        return " ".join(source.choice(WORDS) for _ in range(source.randint(4, 16)))
