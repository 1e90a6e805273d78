"""A tokenizer out of a model's folder: from tokenizer.json, else from a BERT's vocab.txt.

Only these files and a closed list of settings of tokenizer_config.json are used. The library's own
loader takes any argument of any tokenizer class from that file, names of other files among them;
nothing of that kind reaches it here. Texts become the same numbers as with its loader (tested).
Every refusal is a ValueError with a sentence.
"""

import json
import re
from collections.abc import Container
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer
from transformers import BertTokenizer, PreTrainedTokenizerFast, TokenizersBackend

from core.families.bert.tokenizer_parts import MAX_WORDS, check_parts
from core.models.folder_files import MAX_WORDS_BYTES, read_bytes, read_json
from core.serialization import list_in, object_in

TOKENIZER_FILE, VOCABULARY_FILE = "tokenizer.json", "vocab.txt"
SETTINGS_FILE, SPECIAL_FILE, ADDED_FILE = (
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
)
TOKENIZER_FILES = (TOKENIZER_FILE, VOCABULARY_FILE, SETTINGS_FILE, SPECIAL_FILE, ADDED_FILE)
# Classes that read any tokenizer.json as it stands; every other one is BERT's own or unknown.
PLAIN_CLASSES = ("PreTrainedTokenizer", "TokenizersBackend")
BERT_CLASSES = ("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer")
SPECIAL = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
NEEDED = ("unk", "sep", "pad", "cls")
BERTS_MODEL = {
    **{"type": "WordPiece", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
}
INPUTS = ["input_ids", "token_type_ids", "attention_mask"]
MAX_ADDED, MAX_TOKEN_CHARACTERS = 10_000, 500
# What the `tokenizers` library takes as the end of a line of vocab.txt: Unicode's white space.
BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def open_tokenizer(folder: Path) -> TokenizersBackend:
    """The tokenizer of a model's folder. Raises ValueError."""
    settings = (read_json(folder, SPECIAL_FILE) or {}) | (read_json(folder, SETTINGS_FILE) or {})
    _refuse_unknown(settings)
    plain = read_json(folder, TOKENIZER_FILE, MAX_WORDS_BYTES)
    kind: Any = BertTokenizer
    if plain is None:
        words, more = _from_lines(folder, settings), _added_words(folder)
    else:
        words, more = check_parts(plain), _added_of(plain)
    if plain is None or (_class(settings) in BERT_CLASSES and _is_berts(plain)):
        found: dict[str, Any] = {"vocab": words, **_cleaning(settings)}
    else:
        kind, found = PreTrainedTokenizerFast, {"tokenizer_object": _as_it_stands(plain)}
    return kind(
        **found,
        **_special_words(settings, words, more),
        **_limit(settings),
        added_tokens_decoder={**more, **_added(settings)},
        extra_special_tokens=_extra(settings),
        model_input_names=INPUTS,
    )


def _special_words(
    settings: dict[str, Any], words: Container[str], more: dict[int, AddedToken]
) -> dict[str, AddedToken]:
    """The words that frame, fill and hide, each of which the vocabulary must have."""
    known = {token.content for token in more.values()}
    found = {
        name: _token(settings.get(f"{name}_token"), usual, {"normalized": False, "special": True})
        for name, usual in SPECIAL.items()
    }
    has = {name: each.content in words or each.content in known for name, each in found.items()}
    lost = [found[name].content for name in NEEDED if not has[name]]
    if lost:
        raise ValueError(f"its tokenizer has no word {lost[0]!r}.")
    return {f"{name}_token": token for name, token in found.items() if has[name]}


def _refuse_unknown(settings: dict[str, Any]) -> None:
    """Settings that would decide how a text is read, with values that are not known here."""
    if settings.get("auto_map") is not None:
        raise ValueError("its tokenizer is code of its own (auto_map), which is never run.")
    for side in ("truncation_side", "padding_side"):
        if settings.get(side) not in (None, "right"):
            raise ValueError(f"its tokenizer's {side} is not right.")
    for name in ("do_lower_case", "tokenize_chinese_chars", "strip_accents"):
        if settings.get(name) not in (None, True, False):
            raise ValueError(f"its tokenizer's {name} is neither true nor false.")


def _class(settings: dict[str, Any]) -> str:
    named = settings.get("tokenizer_class") or "BertTokenizer"
    return named.removesuffix("Fast") if isinstance(named, str) else "?"


def _as_it_stands(plain: dict[str, Any]) -> Tokenizer:
    try:
        return Tokenizer.from_str(json.dumps(plain))
    except Exception as error:  # the library raises a bare Exception
        raise ValueError(f"its {TOKENIZER_FILE} cannot be read ({str(error)[:100]}).") from error


def _is_berts(plain: dict[str, Any]) -> bool:
    """Whether it cuts words as every BERT does; then the settings decide on case and accents, as
    with the library."""

    def part(name: str) -> dict[str, Any]:
        return plain.get(name) or {}

    model = part("model")
    own = all(model.get(name, value) == value for name, value in BERTS_MODEL.items())
    cleans = part("normalizer").get("type", "BertNormalizer") == "BertNormalizer"
    return own and cleans and part("pre_tokenizer").get("type") == "BertPreTokenizer"


def _from_lines(folder: Path, settings: dict[str, Any]) -> dict[str, int]:
    """The words of a vocab.txt, one a line, and their numbers."""
    data = read_bytes(folder, VOCABULARY_FILE, MAX_WORDS_BYTES)
    if data is None:
        raise ValueError(f"it has neither {TOKENIZER_FILE} nor {VOCABULARY_FILE}.")
    if _class(settings) not in (*BERT_CLASSES, *PLAIN_CLASSES):
        raise ValueError(f"it has no {TOKENIZER_FILE}, and its tokenizer is not BERT's own.")
    if data.count(b"\n") > MAX_WORDS:
        raise ValueError(f"its {VOCABULARY_FILE} has more than {MAX_WORDS:,} words.")
    try:
        lines = data.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"its {VOCABULARY_FILE} is not text in UTF-8.") from error
    return {line.rstrip(BLANKS): number for number, line in enumerate(lines)}


def _cleaning(settings: dict[str, Any]) -> dict[str, Any]:
    """What BERT's own tokenizer does to a text before it cuts it."""
    return {
        "do_lower_case": settings.get("do_lower_case", True) is not False,
        "tokenize_chinese_chars": settings.get("tokenize_chinese_chars", True) is not False,
        "strip_accents": settings.get("strip_accents"),
    }


def _content(token: Any, usual: str) -> str:
    """The text of a special token, which is written as text or with its properties."""
    given = object_in(token)
    text = token if given is None else given.get("content")
    if text is None:
        return usual
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TOKEN_CHARACTERS:
        raise ValueError("its tokenizer names a special word that is no text.")
    return text


def _token(token: Any, usual: str, properties: dict[str, bool]) -> AddedToken:
    """A word that is never cut, with the properties that it was given: may it take the blanks
    beside it, is it looked for before or after the text is cleaned."""
    names = ("single_word", "lstrip", "rstrip", "normalized", "special")
    given = object_in(token)
    given = properties if given is None else given
    flags = {name: given[name] is True for name in names if name in given}
    return AddedToken(_content(token, usual), **flags)


def _added(settings: dict[str, Any]) -> dict[int, AddedToken]:
    """Words beside the vocabulary, as `added_tokens_decoder` lists them by their numbers."""
    listed = object_in(settings.get("added_tokens_decoder") or {})
    if listed is None or len(listed) > MAX_ADDED:
        raise ValueError(f"its tokenizer's added words are not a list of at most {MAX_ADDED:,}.")
    found: dict[int, AddedToken] = {}
    for number, token in listed.items():
        if not re.fullmatch(r"\d{1,9}", number) or not isinstance(token, dict):
            raise ValueError("its tokenizer's added words have no numbers.")
        found[int(number)] = _token(token, "", {})
    return found


def _added_of(plain: dict[str, Any]) -> dict[int, AddedToken]:
    """The same out of a tokenizer.json."""
    listed = list_in(plain.get("added_tokens") or [])
    if listed is None or len(listed) > MAX_ADDED:
        raise ValueError(f"its {TOKENIZER_FILE} adds more than {MAX_ADDED:,} words.")
    tokens = [object_in(token) or {} for token in listed]
    if not all(type(token.get("id")) is int for token in tokens):
        raise ValueError(f"its {TOKENIZER_FILE} adds words that have no numbers.")
    return {token["id"]: _token(token, "", {}) for token in tokens}


def _added_words(folder: Path) -> dict[int, AddedToken]:
    """The same out of added_tokens.json, which lies beside a vocab.txt: word to number."""
    listed = read_json(folder, ADDED_FILE) or {}
    if len(listed) > MAX_ADDED or not all(type(number) is int for number in listed.values()):
        raise ValueError(f"its {ADDED_FILE} is not a list of at most {MAX_ADDED:,} words.")
    return {number: AddedToken(_content(word, "")) for word, number in listed.items()}


def _extra(settings: dict[str, Any]) -> list[str]:
    """Further special words, which are never cut into pieces."""
    listed = list_in(
        settings.get("additional_special_tokens") or settings.get("extra_special_tokens") or []
    )
    if listed is None or len(listed) > MAX_ADDED:
        raise ValueError(f"its tokenizer's special words are not a list of at most {MAX_ADDED:,}.")
    return [_content(token, "") for token in listed]


def _limit(settings: dict[str, Any]) -> dict[str, int]:
    most = settings.get("model_max_length")
    return {"model_max_length": most} if type(most) is int and 1 <= most <= 1_000_000 else {}
