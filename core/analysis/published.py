"""What others have printed about small BERTs, to be shown beside ours and never mixed with it.

All of it is BERT-base or larger on GLUE and SQuAD, on dev, and often the best of many checkpoints.
Ours is MiniLM on other text, on test, the last checkpoint. What can stand side by side are ratios:
how many times smaller than the model in float32, and what share of its score is left.

A score or size that was written down from memory and not read again in print is not verified: it
is never shown without the word "unverified". `megabytes` are as printed.
"""

from dataclasses import dataclass

FLOAT_MODEL = "BERT-base"
BENCHMARKS = (
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

# Model, bits of weights-embedding-activations, MB, then a score for each benchmark; "?" marks what
# was not read again, "-" what was not printed.
_TERNARYBERT = """
BERT-base         | 32-32-32 | 418 | 84.5 84.9 87.5? 90.9? 92.0? 93.1 58.1 89.8? 89.4? 90.6? 86.5? 71.1 81.5 88.7 74.5? 77.7?
TernaryBERT, TWN  | 2-2-8    | 28  | 83.3 83.3 86.7? 90.1? 91.1? 92.8 55.7 87.9? 87.7? 91.2? 87.5? 72.9 79.9 87.4 73.1? 76.4?
TernaryBERT, LAT  | 2-2-8    | 28  | 83.5 83.4 86.6? 90.1? 91.5? 92.5 54.3 87.9? 87.6? 91.1? 87.0? 72.2 80.1 87.5 73.3? 76.6?
Q2BERT            | 2-8-8    | 43? | 47.2? 47.3 67.0 75.9? 61.3 80.6 0.0 4.4? 4.7 81.2 68.4? 52.7 - - - -
TernaryTinyBERT   | 2-2-8    | 18? | 83.4? 83.8? 87.2? 90.5? 89.9? 93.0? 53.0? 86.9? 86.5? 91.5? 88.0? 71.8? - - - -
8-bit BERT        | 8-8-8    | 106? | 84.2? 84.7? 87.1? 90.5? 91.8? 93.7? 60.6? 89.7? 89.3? 90.8? 87.3? 71.8? - - - -
"""  # noqa: E501

# Model, bits, MB, MNLI-m, SQuAD v1.1 EM, F1.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One printed score, in per cent (correlations times 100), with its model and size."""

    model: str
    bits: str
    megabytes: float
    megabytes_verified: bool
    benchmark: str
    score: float
    score_verified: bool
    source: str

    @property
    def is_verified(self) -> bool:
        """Both were read in print."""
        return self.megabytes_verified and self.score_verified


def published() -> tuple[Published, ...]:
    """Every printed score that the lab knows."""
    few = ("MNLI-m", "SQuAD v1.1 EM", "SQuAD v1.1 F1")
    return (
        *_read(_TERNARYBERT, BENCHMARKS, "TernaryBERT (Zhang et al. 2020)"),
        *_read(_OTHERS, few, "as compared in print with TernaryBERT or BinaryBERT"),
    )


def _read(table: str, benchmarks: tuple[str, ...], source: str) -> list[Published]:
    found = []
    for line in table.strip().splitlines():
        model, bits, megabytes, scores = (part.strip() for part in line.split("|"))
        for benchmark, score in zip(benchmarks, scores.split(), strict=True):
            if score == "-":
                continue
            found.append(
                Published(
                    model=model,
                    bits=bits,
                    megabytes=float(megabytes.rstrip("?")),
                    megabytes_verified=not megabytes.endswith("?"),
                    benchmark=benchmark,
                    score=float(score.rstrip("?")),
                    score_verified=not score.endswith("?"),
                    source=source,
                )
            )
    return found
