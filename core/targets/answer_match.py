"""Is this answer right? SQuAD's own way of comparing answers (Rajpurkar et al. 2016, 2018).

Answers are compared as words: without case, punctuation, the articles a, an, the, and extra
blanks. A question has several accepted answers and the best fit counts. No answer is the empty
text: it is right exactly where a question has no accepted answer.
"""

import re
import string
from collections import Counter

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(answer: str) -> str:
    """The answer as it is compared: "The  Beatles!" becomes "beatles"."""
    words = _ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split()
    return " ".join(words)


def exact_match(answer: str, accepted: tuple[str, ...]) -> float:
    """1.0 when the answer equals an accepted one after normalisation, else 0.0."""
    return float(normalized(answer) in _comparable(accepted))


def word_f1(answer: str, accepted: tuple[str, ...]) -> float:
    """F1 over the words that answer and accepted answer share, of the accepted one that fits
    best; without any words on one side it is 1.0 when the other has none either, else 0.0."""
    words = Counter(normalized(answer).split())
    return max(_f1(words, Counter(each.split())) for each in _comparable(accepted))


def _comparable(accepted: tuple[str, ...]) -> list[str]:
    """Accepted answers, normalised; those of which nothing is left do not count."""
    return [text for text in map(normalized, accepted) if text] or [""]


def _f1(answer: Counter[str], accepted: Counter[str]) -> float:
    if not answer or not accepted:
        return float(answer == accepted)
    shared = (answer & accepted).total()
    return 2 * shared / (answer.total() + accepted.total())
