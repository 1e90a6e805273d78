"""A task: text with something to learn from it, and where that text comes from."""

from dataclasses import dataclass, field

from core.targets import find_target
from core.targets.target import Target
from core.tasks.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is learned and where its text comes from.

    kind      the name of its target: "classes" (column "label" is a class number), "value" ("label"
              is a number), "span" (columns "answers" and "starts" hold the accepted answers of a
              question and where each begins in its passage; both empty when the passage has no
              answer), "ranking" (see core/targets/ranking.py) ...
    texts     the one or two text columns; question and passage for a span, query and candidates
              (a list) for a ranking
    metrics   the first is the one that scores are compared by
    dev_examples, test_examples   at most, and never more than a tenth of what is cut
    more_tests                    further test splits of the source, reported beside test
    max_tokens, batch_size, copies   lengths, batch and augmentation of the paper (PAPER 3)
    examples                      texts for people to try, one per column
    """

    name: str
    title: str
    description: str
    source: Source
    metrics: tuple[str, ...]
    kind: str = "classes"
    labels: tuple[str, ...] = ()
    texts: tuple[str, ...] = ("text",)
    citation: str = ""
    dev_examples: int = 1000
    test_examples: int = 1000
    more_tests: tuple[str, ...] = ()
    max_tokens: int = 64
    batch_size: int = 32
    copies: int = 20
    may_have_no_answer: bool = False
    examples: tuple[tuple[str, ...], ...] = field(default=())

    def __post_init__(self) -> None:
        find_target(self.kind)

    @property
    def target(self) -> Target:
        """What is asked of a model."""
        return find_target(self.kind)

    @property
    def metric(self) -> str:
        """The metric that scores are compared by."""
        return self.metrics[0]
