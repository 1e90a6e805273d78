"""What others have printed about small BERTs, to be shown beside ours and never mixed with it.

All of it is BERT-base or larger on GLUE and SQuAD (and one sentence encoder on MTEB), on dev, and
often the best of many checkpoints. Ours is MiniLM on other text, on test, the last checkpoint. What
can stand side by side are ratios: how many times smaller than the full model, and what share of
its score is left. Papers fine-tune their own full models, so every row carries the full score of
its own source, and is divided by that. Where a row is known from a table of others only, the full
score is that table's, and `full_model` says so.

How a figure came here is said with it: read in a text of its own authors (paper, README or
tutorial), second-hand (others print it, or it was seen in an excerpt), or written from memory and
not read again in print: unverified, and never shown without that word. Sources may disagree:
BinaryBERT on SQuAD v1.1 is 79.3/87.2 in one and 77.9/85.8 in another; both stand here.
"""

from dataclasses import dataclass, replace

GLUE_AND_SQUAD = (
    "MNLI-m",
    "MNLI-mm",
    "QQP F1",
    "QQP accuracy",
    "QNLI",
    "SST-2",
    "CoLA",
    "STS-B Pearson",
    "STS-B Spearman",
    "MRPC F1",
    "MRPC accuracy",
    "RTE",
    "SQuAD v1.1 EM",
    "SQuAD v1.1 F1",
    "SQuAD v2.0 EM",
    "SQuAD v2.0 F1",
)

READ, SECOND_HAND, MEMORY = "authors' own text", "second-hand", "memory"

# Model | bits of weights-embedding-activations | MB as printed, or "x" and how many times smaller |
# a score for each benchmark. "-": not printed. "?": from memory, not read again. "!": read in a
# text of its authors; else second-hand. The first row is the full model of the table.
_TERNARYBERT = """
BERT-base         | 32-32-32 | 418 | 84.5 84.9 87.5? 90.9? 92.0? 93.1 58.1 89.8? 89.4? 90.6? 86.5? 71.1 81.5 88.7 74.5? 77.7?
TernaryBERT, TWN  | 2-2-8    | 28  | 83.3 83.3 86.7? 90.1? 91.1? 92.8 55.7 87.9? 87.7? 91.2? 87.5? 72.9 79.9 87.4 73.1? 76.4?
TernaryBERT, LAT  | 2-2-8    | 28  | 83.5 83.4 86.6? 90.1? 91.5? 92.5 54.3 87.9? 87.6? 91.1? 87.0? 72.2 80.1 87.5 73.3? 76.6?
Q2BERT            | 2-8-8    | 43? | 47.2? 47.3 67.0 75.9? 61.3 80.6 0.0 4.4? 4.7 81.2 68.4? 52.7 - - - -
TernaryTinyBERT   | 2-2-8    | 18? | 83.4? 83.8? 87.2? 90.5? 89.9? 93.0? 53.0? 86.9? 86.5? 91.5? 88.0? 71.8? - - - -
8-bit BERT        | 8-8-8    | 106? | 84.2? 84.7? 87.1? 90.5? 91.8? 93.7? 60.6? 89.7? 89.3? 90.8? 87.3? 71.8? - - - -
"""  # noqa: E501

_OTHERS = """
DistilBERT        |          | 250 | 81.6 79.1 86.9
ALBERT-E128       |          | 45  | 81.6 82.3 89.3
ALBERT-E768       |          | 120 | 82.0 81.5 88.6
LayerDrop-6L      |          | 328 | 82.9 - -
LayerDrop-3L      |          | 224 | 78.6 - -
Quant-Noise       |          | 38  | 83.6 - -
Q-BERT 2/4        | 2/4-8-8  | 53  | 83.5 79.9 87.5
Q-BERT 2/3        | 2/3-8-8  | 46  | 81.8 79.3 87.0
Q-BERT 2          | 2-8-8    | 28  | 76.6 69.7 79.6
GOBO 3-4          | 3-4-32   | 43  | 83.7 - -
GOBO 2-2          | 2-2-32   | 28  | 71.0 - -
BinaryBERT, 8 bit | 1-1-8    | 17  | 84.2 80.8 88.3
BinaryBERT, 4 bit | 1-1-4    | 17  | 83.9 79.3 87.2
"""

# BERT-base as fine-tuned for BiT (Liu et al. 2022); its README prints other papers' models beside.
_BIT = """
BERT-base of BiT            | 32-32-32 | 418  | 84.9! 85.5! 93.2! 59.7! 72.2! 83.9! 82.6! 89.7!
BinaryBERT, 4 bit, as in BiT| 1-1-4    | 16.5 | 83.9 84.2 92.3 44.4 65.3 79.9 77.9 85.8
BinaryBERT, 1 bit, as in BiT| 1-1-1    | 16.5 | 35.6 35.3 53.2 0 52.7 41.0 1.5 8.2
BiBERT, as in BiT           | 1-1-1    | 13.4 | 66.1 67.5 88.7 25.4 57.4 63.2 8.5 18.9
BiT, 4 bit                  | 1-1-4    | 13.4 | 83.6! 84.4! 91.5! 42.0! 66.4! 79.5! - -
BiT, 2 bit                  | 1-1-2    | 13.4 | 82.1! 82.5! 90.8! 32.1! 58.1! 75.0! - -
BiT, 1 bit                  | 1-1-1    | 13.4 | 79.5! 79.4! 89.9! 32.9! 62.1! 73.5! 63.1! 74.9!
BiT, 2 bit, more text       | 1-1-2    | 13.4 | - - - - - 80.4! - -
BiT, 1 bit, more text       | 1-1-1    | 13.4 | - - - - - 78.0! - -
"""

# Its paper prints 32 and 50 times smaller; the scores at 1 bit are those of DeepSpeed's tutorial.
_XTC = """
teacher of XTC              | 32-32-32 | x1   | 84.9 85.6
XTC, 2 bit                  | 2        | -    | 84.7 84.4
XTC, 12 layers              | 1-1-8    | x32  | 82.9! 84.0!
XTC, 6 layers               | 1-1-8    | x50  | 81.4! 82.0!
"""

# A decoder with last-token pooling, no encoder; its counterpart is in bfloat16.
_BITNET = """
harrier-270m                | bfloat16 | x1   | 66.5
BitNet-embeddings-270m      | 1.58, activations 8 | - | 66.26
"""

_FEW = ("MNLI-m", "SQuAD v1.1 EM", "SQuAD v1.1 F1")
_OF_BIT = ("MNLI-m", "MNLI-mm", "SST-2", "CoLA", "RTE", "GLUE mean", *_FEW[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One printed score, in per cent (correlations times 100), with its model, its size and the
    full model that it is held against. `megabytes` and `times_smaller` are None where none was
    printed; `reading` says how the score came here."""

    model: str
    bits: str
    megabytes: float | None
    megabytes_verified: bool
    times_smaller: float | None
    benchmark: str
    score: float
    reading: str
    full_model: str
    full_score: float
    full_verified: bool
    source: str

    @property
    def is_verified(self) -> bool:
        """All of it was read in print."""
        return self.megabytes_verified and self.reading != MEMORY and self.full_verified

    @property
    def share(self) -> float:
        """How much of its full model's score is left, in per cent."""
        return 100 * self.score / self.full_score


def published() -> tuple[Published, ...]:
    """Every printed score that the lab knows."""
    ternarybert = _rows(_TERNARYBERT)
    full, elsewhere = ternarybert[0], f"{ternarybert[0].model}, as in TernaryBERT"
    return (
        *_read(ternarybert, GLUE_AND_SQUAD, "TernaryBERT (Zhang et al. 2020)", full, full.model),
        *_read(
            _rows(_OTHERS),
            _FEW,
            "as compared in print with TernaryBERT or BinaryBERT",
            full.only(GLUE_AND_SQUAD, _FEW),
            f"{elsewhere}: its own paper's is not known here",
        ),
        *_own(_BIT, _OF_BIT, "README of BiT (Liu et al. 2022)"),
        *_own(_XTC, ("MNLI-m", "MNLI-mm"), "XTC (Wu et al. 2022); DeepSpeed's tutorial"),
        *_own(_BITNET, ("MTEB v2",), "documents of microsoft/BitNet, 2026 (an excerpt)"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    model: str
    bits: str
    size: str
    scores: tuple[str, ...]

    def only(self, benchmarks: tuple[str, ...], wanted: tuple[str, ...]) -> "_Row":
        """The row with these benchmarks' scores alone."""
        return replace(self, scores=tuple(self.scores[benchmarks.index(name)] for name in wanted))


def _rows(table: str) -> list[_Row]:
    split = [[part.strip() for part in line.split("|")] for line in table.strip().splitlines()]
    return [
        _Row(model=model, bits=bits, size=size, scores=tuple(scores.split()))
        for model, bits, size, scores in split
    ]


def _own(table: str, benchmarks: tuple[str, ...], source: str) -> list[Published]:
    rows = _rows(table)
    return _read(rows, benchmarks, source, rows[0], rows[0].model)


def _read(
    rows: list[_Row], benchmarks: tuple[str, ...], source: str, full: _Row, full_name: str
) -> list[Published]:
    found = []
    for row in rows:
        megabytes, times = _sizes(row.size, full.size)
        scores = zip(benchmarks, row.scores, full.scores, strict=True)
        for benchmark, score, full_score in scores:
            if score == "-":
                continue
            found.append(
                Published(
                    model=row.model,
                    bits=row.bits,
                    megabytes=megabytes,
                    megabytes_verified="?" not in row.size,
                    times_smaller=times,
                    benchmark=benchmark,
                    score=_number(score),
                    reading=_reading(score),
                    full_model=full_name,
                    full_score=_number(full_score),
                    full_verified="?" not in full_score,
                    source=source,
                )
            )
    return found


def _sizes(size: str, full: str) -> tuple[float | None, float | None]:
    if size == "-":
        return None, None
    if size.startswith("x"):
        return None, float(size[1:])
    return _number(size), _number(full) / _number(size)


def _number(text: str) -> float:
    return float(text.rstrip("?!"))


def _reading(score: str) -> str:
    return MEMORY if score.endswith("?") else READ if score.endswith("!") else SECOND_HAND
