"""Which parts a tokenizer.json may have.

A tokenizer.json describes a small program: how a text is cleaned, cut and framed. Its parts are
held against a closed list. A regular expression of somebody else could keep a processor busy for
hours with one text, and a dropout would draw random numbers; both are refused.
"""

from collections.abc import Container, Iterator
from typing import Any

from core.serialization import list_in, object_in

MAX_WORDS, MAX_WORD_CHARACTERS = 2_000_000, 1000
KNOWN_PARTS = {
    "model": {"WordPiece", "BPE", "Unigram", "WordLevel"},
    "normalizer": {
        *("BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled"),
        *("Prepend", "Replace", "Sequence", "Strip", "StripAccents"),
    },
    "pre_tokenizer": {
        *("BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "Metaspace"),
        *("Punctuation", "Sequence", "Split", "UnicodeScripts", "Whitespace", "WhitespaceSplit"),
    },
    "post_processor": {
        *("BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing"),
    },
    "decoder": {
        *("BPEDecoder", "ByteFallback", "ByteLevel", "CTC", "Fuse", "Metaspace", "Replace"),
        *("Sequence", "Strip", "WordPiece"),
    },
}


def check_parts(plain: dict[str, Any]) -> Container[str]:
    """The words of a tokenizer.json (`plain`). Raises ValueError for a part that is not on the
    list."""
    for part, known in KNOWN_PARTS.items():
        _check_part(plain.get(part), part, known)
    return _words(plain.get("model"))


def _check_part(part: Any, where: str, known: set[str]) -> None:
    for each in _parts(part):
        if "type" in each and each["type"] not in known:
            raise ValueError(f"its tokenizer.json has a {where} of a kind unknown here.")
        if isinstance(each.get("pattern"), dict) and set(each["pattern"]) != {"String"}:
            raise ValueError("its tokenizer.json has a regular expression; only texts are known.")


def _parts(part: Any) -> Iterator[dict[str, Any]]:
    """A part and the parts of a sequence; not the words of a vocabulary."""
    found = object_in(part)
    if found is not None:
        yield found
        for name in ("normalizers", "pretokenizers", "processors", "decoders"):
            for inner in found.get(name) or ():
                yield from _parts(inner)


def _words(part: Any) -> Container[str]:
    model = object_in(part)
    if model is None:
        raise ValueError("its tokenizer.json has no model.")
    if model.get("dropout"):
        raise ValueError("its tokenizer.json has a dropout, which draws random numbers.")
    longest = model.get("max_input_chars_per_word", 100)
    if type(longest) is not int or not 1 <= longest <= MAX_WORD_CHARACTERS:
        raise ValueError("its tokenizer.json has a max_input_chars_per_word out of range.")
    words, pairs = object_in(model.get("vocab")), list_in(model.get("vocab"))
    if pairs is not None:  # of Unigram: a word and how likely it is
        words = {pair[0]: 0 for pair in map(list_in, pairs) if pair}
    if words is None or len(words) > MAX_WORDS:
        raise ValueError("its tokenizer.json has no list of words.")
    if not all(type(number) is int and 0 <= number < MAX_WORDS for number in words.values()):
        raise ValueError("its tokenizer.json has words without numbers.")
    return words
