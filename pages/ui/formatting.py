"""Numbers and names as text.

Accuracy in per cent with one decimal and its standard error, sizes in MiB with the ratio, times
in ms or s: everywhere the same.
"""

import re

from core.results import WHO as WHO

_MARKUP = re.compile(r"[\\`*_{}\[\]()<>#+\-.!|~$:&]")
# What Streamlit looks for after the backslashes are gone: addresses and e-mail addresses (which
# become links), names of icons and emoji, arrows and dashes between spaces.
_FOUND_LATER = re.compile(
    r"(?<=:)(?=[\w/+-])|(?<=@)(?=\S)|(?<=www)(?=\.)"
    r"|(?<=\s[-<>~])(?=(?:-|>|->|=)(?:\s|$))|(?<=^[-<>~])(?=(?:-|>|->|=)(?:\s|$))",
    re.IGNORECASE,
)
MOST_OF_A_SETTING = 60
WORD_JOINER = "\u2060"  # takes no room and allows no line break

METRICS = {
    "accuracy": "accuracy",
    "f1": "F1",
    "macro-f1": "macro F1",
    "matthews": "Matthews correlation",
    "pearson": "Pearson correlation",
    "spearman": "rank correlation (Spearman)",
    "exact-match": "exact match",
    "answer-f1": "F1 over words",
    "mrr-10": "MRR@10",
    "ndcg-10": "nDCG@10",
    "recall-1": "recall at 1",
}
CORRELATIONS = ("matthews", "pearson", "spearman")
KINDS = {
    "classes": "classes",
    "value": "a number",
    "span": "an answer in a passage",
    "ranking": "a ranking of passages",
}


def plain(text: str) -> str:
    """Text that this program did not write (a title, a column, a model's name, what an error says)
    as Markdown that shows it as it is: no picture is fetched, no link is made.

    Everything that Streamlit takes as Markdown (labels, captions, messages, progress, options of
    segments) gets such text through this function; tables and boxes take it as it is.
    """
    joined = _FOUND_LATER.sub(WORD_JOINER, " ".join(text.split()))
    return _MARKUP.sub(r"\\\g<0>", joined)


def prose(text: str) -> str:
    """Text of a lesson: Markdown as its author meant it. Lessons that hold a picture, an address or
    HTML are refused on reading (core/lessons/text_blocks.py), so nothing is fetched by it."""
    return text


def code(text: str) -> str:
    """A command or a name as a code span, whatever it holds."""
    longest = max((len(found) for found in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " * (longest > 0)
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}"


def shortened(text: str) -> str:
    """A setting as it is typed; of a long list its beginning, and how long it is."""
    if len(text) <= MOST_OF_A_SETTING or "," not in text:
        return text
    return f"{text[:MOST_OF_A_SETTING]}... ({text.count(',') + 1} in all)"


def metric_name(metric: str) -> str:
    """What people call a metric, as Markdown; one that is not known by its own name."""
    return METRICS.get(metric, plain(metric))


def metric_title(metric: str) -> str:
    """What tables and charts call a metric: "accuracy (%)", "Pearson correlation (x 100)"."""
    unit = "x 100" if metric in CORRELATIONS else "%"
    return f"{METRICS.get(metric, metric)} ({unit})"


def scored(metric: str, value: float, standard_error: float | None = None) -> str:
    """A score as people write it: "84.7 %", or "87.9" for a correlation (times 100)."""
    text = percent(value, standard_error)
    return text.removesuffix(" %") if metric in CORRELATIONS else text


def percent(value: float, standard_error: float | None = None) -> str:
    """0.847 -> "84.7 %", with its standard error "84.7 ± 1.1 %"."""
    if standard_error is None:
        return f"{100 * value:.1f} %"
    return f"{100 * value:.1f} ± {100 * standard_error:.1f} %"


def size(size_bytes: int, of_bytes: int | None = None) -> str:
    """Bytes in MiB, and how many times smaller than `of_bytes`."""
    text = f"{size_bytes / 2**20:.1f} MiB"
    if of_bytes is None or of_bytes == size_bytes:
        return text
    return f"{text}, {of_bytes / size_bytes:.1f}x smaller"


def duration(seconds: float) -> str:
    """48 -> "48 s", 130 -> "2 min 10 s"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
