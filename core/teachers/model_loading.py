"""Load a model for a task: an embedded backbone, a folder, or a hub id.

A model is a stranger's. Which family it is of is said by its config (or, embedded, by its entry in
the list); the family then reads config, weights and processor, and trusts none of them. Another
architecture is refused with the list of what works. What it reads with, its *processor*, is a
tokenizer for text.
"""

import weakref
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from core.errors import InputError
from core.families import families, find_family
from core.family import Family, Head, Loaded, Replacing
from core.hub import snapshot
from core.models.backbones import BACKBONES, backbone_folder
from core.models.folder_files import read_text
from core.models.model_settings import other_family, plain_settings
from core.paths import find
from core.targets.registry import find_target

CONFIG_FILE = "config.json"
_processors: weakref.WeakValueDictionary[tuple[str, int], Any] = weakref.WeakValueDictionary()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Masked:
    """A masked language model, with what asks it."""

    replacing: Replacing
    network: Any
    tokenizer: Any


def load_model(name: str, kind: str, labels: tuple[str, ...], seed: int) -> Loaded:
    """The model with a head for the target `kind`; a missing head is drawn from `seed`.

    Raises InputError when it cannot be found, is of no family that we know, or says something that
    we do not compute.
    """
    folder, revision = files_of(name)
    family = _family_in(folder, name)
    with explained(name):
        loaded = family.load(Path(folder), _head(kind, labels), name, seed)
    backbone = BACKBONES.get(name)
    if backbone and backbone.layers:
        family.keep_layers(loaded.model, backbone.layers)
    return replace(loaded, revision=revision)


def _head(kind: str, labels: tuple[str, ...]) -> Head:
    return find_target(kind).head(labels)


def config_text_of(name: str) -> str | None:
    """What the config.json of an embedded backbone or a folder says; None where it is not on this
    computer, or the name is one of the hub, which is not asked."""
    backbone = BACKBONES.get(name)
    folder = backbone_folder(backbone) if backbone else _folder(name)
    with explained(name):
        return None if folder is None else read_text(folder, CONFIG_FILE)


def has_trained_head(name: str, kind: str, labels: tuple[str, ...]) -> bool:
    """Whether the folder `name` holds a checkpoint with a head of the right kind and size.

    Looks at its config's family, and at names and shapes only. False for embedded backbones, and
    for a hub id, of which nothing may be here yet.
    """
    folder = None if name in BACKBONES else _folder(name)
    try:
        if folder is None:
            return False
        return _family_in(str(folder), name).has_trained_head(folder, _head(kind, labels))
    except (OSError, SafetensorError, ValueError, RuntimeError):  # of which InputError is one
        return False


def family_of(name: str) -> Family:
    """The family of an embedded backbone, a folder or a hub id. Raises InputError as
    `load_model` does."""
    backbone = BACKBONES.get(name)
    return find_family(backbone.family) if backbone else _family_in(files_of(name)[0], name)


def _family_in(folder: str, name: str) -> Family:
    """The family of the model in a folder, by its config; `name` is what a message calls it."""
    if name in BACKBONES:
        return find_family(BACKBONES[name].family)
    with explained(name):
        said = plain_settings(_config_text(Path(folder)), name).get("model_type")
    known = [family for family in families() if family.model_types]
    for family in known:
        if said in family.model_types:
            return family
    types = [one for family in known for one in family.model_types]
    raise other_family(name, said, [family.title for family in known], types)


def _config_text(folder: Path) -> str:
    text = read_text(folder, CONFIG_FILE)
    if text is None:
        raise ValueError(f"it has no {CONFIG_FILE}.")
    return text


def files_of(name: str) -> tuple[str, str]:
    """(folder, revision) of a model's files. Raises InputError when there are none."""
    backbone = BACKBONES.get(name)
    if backbone:
        return str(backbone_folder(backbone)), ""
    folder = _folder(name)
    if folder is not None:
        return str(folder), ""
    instead = f"Use {_folders()} (safetensors), or one of: {', '.join(BACKBONES)}."
    if name.startswith((".", "/", "~")) or "\\" in name:
        raise InputError(f"There is no folder {name}. {instead}")
    return _from_hub(name, instead)


def _folders() -> str:
    """Which models of one's own can be used, in words."""
    titles = [f"a {family.title}" for family in families() if family.model_types]
    return f"a folder with {' or '.join(titles)}"


def _from_hub(name: str, instead: str) -> tuple[str, str]:
    """The config comes first: only of a model that we can use is the rest fetched."""
    found = snapshot(name, "model", (CONFIG_FILE,), instead)
    family = _family_in(str(found.folder), name)
    with explained(name):
        family.read_config(_config_text(found.folder), name)
    patterns = (CONFIG_FILE, *family.files)
    found = snapshot(name, "model", patterns, instead, found.revision)
    return str(found.folder), found.revision


def _folder(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
        return path if path.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # far too long, ~nobody, a zero byte
        return None


def load_tokenizer(name: str) -> Any:
    """The processor of an embedded backbone (it ships), a folder or a hub id."""
    backbone = BACKBONES.get(name)
    if backbone and backbone.shared:
        family = find_family(backbone.family)
        shipped = find("backbones", backbone.shared, family.processor_file)
        if shipped:
            return tokenizer_from(str(shipped.parent), name, family)
    folder = files_of(name)[0]
    return tokenizer_from(folder, name, _family_in(folder, name))


def tokenizer_from(folder: str, name: str, family: Family) -> Any:
    """The processor of a folder, the same object as long as anybody holds it (see
    `core.models.tokenizing`); `name` is what a message calls it."""
    try:
        key = folder, Path(folder, family.processor_file).stat().st_mtime_ns
    except OSError:
        key = folder, 0
    with explained(name):
        found = _processors.get(key)
        if found is None:
            found = family.open_processor(Path(folder))
            _processors[key] = found
        return found


def load_masked(name: str) -> Masked:
    """A masked language model. Raises InputError when it cannot be loaded or is no such model."""
    folder, _ = files_of(name)
    family = _family_in(folder, name)
    if family.replacing is None:
        raise InputError(f"{name} expects no words. Use the neighbours, or turn augmentation off.")
    with explained(name):
        network = family.replacing.open_masked(Path(folder), name)
    tokenizer = tokenizer_from(folder, name, family)
    return Masked(replacing=family.replacing, network=network, tokenizer=tokenizer)


@contextmanager
def explained(model: str) -> Generator[None]:
    """Turn what the library raises for a model that is not there into one sentence."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # OSError, ValueError, SafetensorError, its own validation errors
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"The model {model!r} could not be loaded: {reason} Use {_folders()} "
            f"(safetensors), a hub id, or one of: {', '.join(BACKBONES)}."
        ) from error
