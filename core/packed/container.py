"""A safetensors file, written the same way each time and read without trust.

    bytes 0..7      length of the header, little endian
    header          JSON: name -> dtype, shape, data_offsets; "__metadata__": text -> text;
                    filled up with blanks to a multiple of 8
    data            the tensors, one after the other, without holes

The library's writer orders names as its hash table happens to; ours orders them (wide types first,
then by name), so equal content gives equal bytes. The reader holds every claim of the header
against the bytes that are there *before* it allocates anything: a file can neither crash it nor
make it take more memory than it brings.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.errors import InputError

MAX_HEADER_BYTES = 16 << 20
MAX_DIMENSIONS = 4
TYPES = {"F32": torch.float32, "F16": torch.float16, "U8": torch.uint8}
_NAMES = {kind: name for name, kind in TYPES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a tensor lies: `begin` and `end` count from the start of the data."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Container:
    """An open file: `metadata`, tensors by name, and the bytes of its header (with the length)."""

    metadata: dict[str, str]
    tensors: dict[str, Tensor]
    entries: tuple[Entry, ...]
    header_bytes: int
    data: bytearray


def write_container(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The file of these tensors (float32, float16 or uint8) as bytes."""
    text = _header_of(tensors, metadata)
    text += b" " * (-len(text) % 8)
    flat = (tensors[name].detach().contiguous().reshape(-1) for name in _order(tensors))
    pieces = (each.view(torch.uint8).numpy().tobytes() for each in flat)
    return b"".join([len(text).to_bytes(8, "little"), text, *pieces])


def container_size(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str], filled: bool = True
) -> int:
    """How many bytes `write_container` would give; the tensors need no numbers (device "meta").
    Not `filled`: without the blanks at the end of the header."""
    length = len(_header_of(tensors, metadata))
    blanks = -length % 8 if filled else 0
    return 8 + length + blanks + sum(each.nbytes for each in tensors.values())


def _order(tensors: Mapping[str, Tensor]) -> list[str]:
    return sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))


def _header_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The header of a file of these tensors, not filled up."""
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    place = 0
    for name in _order(tensors):
        end = place + tensors[name].nbytes
        header[name] = {
            "dtype": _NAMES[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [place, end],
        }
        place = end
    return json.dumps(header, separators=(",", ":")).encode()


def read_container(path: Path) -> Container:
    """Open a file; raises InputError when it is not a whole safetensors file of our types."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = _header(file.read(8), size, file.read)
            metadata, entries = _entries(header, size - 8 - len(header))
            file.seek(0)
            data = bytearray(file.read(size))
    except OSError as error:
        raise InputError(f"it cannot be opened ({error.strerror or error})") from error
    if len(data) != size:
        raise InputError("it changed while it was read")
    return _container(metadata, entries, 8 + len(header), data)


def open_container(data: bytes) -> Container:
    """The same for bytes that are already in memory."""
    header = _header(data[:8], len(data), lambda length: data[8 : 8 + length])
    metadata, entries = _entries(header, len(data) - 8 - len(header))
    return _container(metadata, entries, 8 + len(header), bytearray(data))


def _container(
    metadata: dict[str, str], entries: tuple[Entry, ...], start: int, data: bytearray
) -> Container:
    return Container(
        metadata=metadata,
        tensors={entry.name: _tensor(data, start, entry) for entry in entries},
        entries=entries,
        header_bytes=start,
        data=data,
    )


def _header(first: bytes, size: int, read) -> bytes:
    length = int.from_bytes(first, "little")
    if len(first) < 8 or length > min(size - 8, MAX_HEADER_BYTES) or length < 2:
        raise InputError("it is cut off, or has no header of a safetensors file")
    header = read(length)
    if len(header) != length:
        raise InputError("it changed while it was read")
    return header


def _entries(header: bytes, data_bytes: int) -> tuple[dict[str, str], tuple[Entry, ...]]:
    try:
        plain = json.loads(header, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputError("its header is not JSON") from error
    if not isinstance(plain, dict):
        raise InputError("its header is not a JSON object")
    metadata = plain.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise InputError("its metadata is not text")
    entries = sorted((_entry(name, told) for name, told in plain.items()), key=lambda e: e.begin)
    place = 0
    for entry in entries:
        if entry.begin != place:
            raise InputError(f"its tensors overlap or leave holes at {_short(entry.name)}")
        place = entry.end
    if place != data_bytes:
        raise InputError(f"its header claims {place:,} bytes of data, but {data_bytes:,} are there")
    return metadata, tuple(entries)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _entry(name: str, told: object) -> Entry:
    if not isinstance(told, dict) or set(told) != {"dtype", "shape", "data_offsets"}:
        raise InputError(f"its header describes {_short(name)} wrongly")
    dtype = TYPES.get(told["dtype"]) if isinstance(told["dtype"], str) else None
    shape, offsets = told["shape"], told["data_offsets"]
    if dtype is None:
        raise InputError(f"{_short(name)} is of a type that no packed model holds")
    if not (_whole_numbers(shape, MAX_DIMENSIONS) and _whole_numbers(offsets, 2)):
        raise InputError(f"its header describes {_short(name)} wrongly")
    if len(offsets) != 2 or math.prod(shape) * dtype.itemsize != offsets[1] - offsets[0]:
        raise InputError(f"{_short(name)} does not have the bytes that its shape needs")
    if not math.prod(shape):
        raise InputError(f"{_short(name)} is empty")
    return Entry(name=name, dtype=dtype, shape=tuple(shape), begin=offsets[0], end=offsets[1])


def _whole_numbers(value: object, most: int) -> bool:
    """Whether it is a short list of whole numbers, none negative, none past any file's size."""
    if not isinstance(value, list) or len(value) > most:
        return False
    return all(type(number) is int and 0 <= number < 1 << 62 for number in value)


def _short(name: str) -> str:
    return repr(name if len(name) <= 80 else name[:77] + "...")


def _tensor(data: bytearray, start: int, entry: Entry) -> Tensor:
    count = math.prod(entry.shape)
    flat = torch.frombuffer(data, dtype=entry.dtype, count=count, offset=start + entry.begin)
    return flat.reshape(entry.shape).clone()  # a copy: aligned, and not held by the file's bytes
