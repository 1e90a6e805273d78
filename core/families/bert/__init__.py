"""BERT (Devlin et al. 2019): an encoder over word pieces. All that knows its names lies here, in
core/packed/graphs/bert.py and in core/export/snippets/bert.py."""

from core.families.bert.attention import leave_attention_whole as prepare_teacher
from core.families.bert.attention import prepare
from core.families.bert.matrices import depth, keep_layers, kind_of, matrices, matrix_of
from core.families.bert.outputs import ALWAYS as always
from core.families.bert.outputs import DISTANCES as distances
from core.families.bert.outputs import forward, longest, trace_bytes
from core.families.bert.reading import collate, encode, made_up_batch, windows

name = "bert"
parts = ("embedding", "attention", "feed-forward", "pooler")
groups = {
    "embedding": "word embedding",
    "attention": "encoder matrices",
    "feed-forward": "encoder matrices",
    "pooler": "pooler",
}

__all__ = [
    "always",
    "collate",
    "depth",
    "distances",
    "encode",
    "forward",
    "groups",
    "keep_layers",
    "kind_of",
    "longest",
    "made_up_batch",
    "matrices",
    "matrix_of",
    "name",
    "parts",
    "prepare",
    "prepare_teacher",
    "trace_bytes",
    "windows",
]
