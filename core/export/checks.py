"""Does the file hold what was trained? Computed, never assumed.

`compare` holds a file that was just written against the student it was made from; `examine` holds a
file that lies somewhere against itself. Both give (what, whether it holds, from what it is known).
"""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.packed.container import read_container
from core.packed.contents import Contents, assemble, round_contents
from core.packed.file import read, written_again
from core.packed.origin import tokenizer_file

TEXTS, TOKENS = 8, 24
TOLERATED = 0.5  # of a logit
Finding = tuple[str, bool, str]


def compare(contents: Contents, path: Path) -> list[Finding]:
    """The packed file at `path` against the contents it was made from."""
    packed = read(path)
    expected = round_contents(contents, packed.contents.leftovers)
    numbers = sum(matrix.codes.numel() for matrix in expected.weights.values())
    same = sum(
        int((packed.contents.weights[name].codes == matrix.codes).sum())
        for name, matrix in expected.weights.items()
    )
    models = packed.model, assemble(expected), assemble(contents)
    found, wanted, trained = (_logits(model, contents) for model in models)
    rounding = float((wanted - trained).abs().max())
    return [
        ("codes", same == numbers, f"{same:,} of {numbers:,} codes are the trained ones"),
        (
            "logits",
            torch.equal(found, wanted),
            f"{found.numel()} logits of {TEXTS} texts, compared bit for bit",
        ),
        (
            "rounding",
            rounding < TOLERATED,
            f"{packed.contents.leftovers} leftovers move a logit by at most {rounding:.4f} "
            f"({TOLERATED} is tolerated)",
        ),
    ]


def examine(path: Path) -> list[Finding]:
    """A packed file against itself: its digest, its model, its bytes, its tokenizer."""
    packed = read(path)  # raises when the digest, a shape or a number is wrong
    contents, container = packed.contents, read_container(path)
    version = container.metadata["version"]
    digest = "SHA-256 holds" if version != "1" else "version 1 has no digest"
    logits = _logits(packed.model, contents)
    same = version != "1" and written_again(container) == container.data
    rewritten = "writing it again gives the same bytes" if same else "writing it again differs"
    return [
        ("file", True, f"version {version}, {packed.size_bytes:,} bytes, {digest}"),
        (
            "model",
            bool(torch.isfinite(logits).all()),
            f"{TEXTS} texts give {logits.numel()} finite logits",
        ),
        ("bytes", same or version == "1", rewritten if version != "1" else "not compared"),
        _tokenizer(contents),
    ]


@torch.no_grad()
def _logits(model: Any, contents: Contents) -> Tensor:
    """What the model answers to eight made-up texts."""
    family = contents.family
    batch = family.made_up_batch(contents.config, TEXTS, TOKENS)
    return family.forward(model, batch).answers["logits"].value


def _tokenizer(contents: Contents) -> Finding:
    expected = contents.origin.tokenizer_sha256
    path = tokenizer_file(contents.experiment)
    if not expected or path is None:
        return "tokenizer", True, "not known" if not expected else "not on this computer"
    same = hashlib.sha256(path.read_bytes()).hexdigest() == expected
    return "tokenizer", same, "is that of the file" if same else "is another than the file's"
