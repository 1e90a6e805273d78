"""BERT (Devlin et al. 2019): an encoder over word pieces. All that knows its names lies here, in
core/packed/graphs/bert.py and in core/export/snippets/bert.py."""

from core.families.bert.outputs import ALWAYS as always
from core.families.bert.outputs import DISTANCES as distances
from core.families.bert.outputs import forward, longest, trace_bytes
from core.families.bert.reading import collate, encode, made_up_batch, windows

name = "bert"
parts = ("embedding", "attention", "feed-forward", "pooler")

__all__ = [
    "always",
    "collate",
    "distances",
    "encode",
    "forward",
    "longest",
    "made_up_batch",
    "name",
    "parts",
    "trace_bytes",
    "windows",
]
