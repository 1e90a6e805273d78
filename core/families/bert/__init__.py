"""BERT (Devlin et al. 2019): an encoder over word pieces. All that knows its names lies here, in
core/packed/graphs/bert.py and in core/export/snippets/bert.py."""

from core.families.bert import replacing
from core.families.bert.config import MODEL_TYPES as model_types
from core.families.bert.config import TITLE as title
from core.families.bert.config import config_text, config_text_as, outputs_of, read_config
from core.families.bert.encoding import (
    collate,
    count,
    encode,
    first_units,
    made_up_batch,
    marks,
    units_of,
    windows,
)
from core.families.bert.from_files import FILES as files
from core.families.bert.from_files import (
    blank,
    check_fits,
    fresh_config,
    from_state,
    has_trained_head,
    load,
    save_processor,
)
from core.families.bert.heads import reorder_outputs
from core.families.bert.layout import TABLE, depth, keep_layers, kind_of, matrices, matrix_of
from core.families.bert.outputs import ALWAYS as always
from core.families.bert.outputs import DISTANCES as distances
from core.families.bert.outputs import forward, longest, trace_bytes
from core.families.bert.self_attention import leave_attention_whole as prepare_teacher
from core.families.bert.self_attention import prepare, without_traces
from core.families.bert.shapes import shapes
from core.families.bert.smoothing_places import smoothings
from core.families.bert.vocabulary import TOKENIZER_FILE as processor_file
from core.families.bert.vocabulary import open_tokenizer as open_processor

name = "bert"
parts = ("embedding", "attention", "feed-forward", "pooler")
groups = {
    "embedding": "word embedding",
    "attention": "encoder matrices",
    "feed-forward": "encoder matrices",
    "pooler": "pooler",
}
shared = matrix_of(TABLE)

__all__ = [
    "always",
    "blank",
    "check_fits",
    "collate",
    "config_text",
    "config_text_as",
    "count",
    "depth",
    "distances",
    "encode",
    "files",
    "first_units",
    "forward",
    "fresh_config",
    "from_state",
    "groups",
    "has_trained_head",
    "keep_layers",
    "kind_of",
    "load",
    "longest",
    "made_up_batch",
    "marks",
    "matrices",
    "matrix_of",
    "model_types",
    "name",
    "open_processor",
    "outputs_of",
    "parts",
    "prepare",
    "prepare_teacher",
    "processor_file",
    "read_config",
    "reorder_outputs",
    "replacing",
    "save_processor",
    "shapes",
    "shared",
    "smoothings",
    "title",
    "trace_bytes",
    "units_of",
    "windows",
    "without_traces",
]
