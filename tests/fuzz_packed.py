"""Thousands of damaged packed files: `python -m tests.fuzz_packed COUNT SEED`.

In a process of its own, because what is watched is the process: its longest pause and its peak of
memory. Prints one line of JSON.
"""

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save

from core.errors import InputError
from core.experiment import Experiment, QuantRecipe
from core.families.registry import find_family
from core.models.student import build_student
from core.packed import file
from core.packed.container import read_container
from core.training.static_ranges import quantizers_of
from tests.conftest import tiny_model

BERT = find_family("bert")

STRANGE = (
    "0",
    "-1",
    "3",
    "1e9",
    "null",
    "true",
    "[]",
    "{}",
    '"x"',
    "4611686018427387903",
    "1" * 30,
)
TOKENS = torch.tensor([[5, 6, 7]])
MEMORY_LIMIT_BYTES = 8 << 30  # of addresses: a mad allocation fails instead of filling the machine


def originals(folder: Path) -> list[bytes]:
    """Valid files of every kind."""
    found = []
    for activation, scope, layout, leftovers in (
        ("minmax", "tensor", "2-bit", "float32"),
        ("symmetric", "token", "base-3", "float16"),
        ("lsq", "tensor", "base-3", "float32"),
        ("minmax", "static", "2-bit", "float16"),
    ):
        experiment = Experiment(quant=QuantRecipe(activation=activation, activation_scope=scope))
        student = build_student(tiny_model(), experiment.quant, BERT)
        for _, quantizer in quantizers_of(student):
            if quantizer.range is not None:
                quantizer.set_range(-2.0, 3.0)
        found.append(file.to_bytes(student, experiment, layout=layout, leftovers=leftovers))
    (folder / "old").write_bytes(found[0])
    new = read_container(folder / "old")
    kept = ("format", "experiment", "config", "matrices")
    metadata = {name: new.metadata[name] for name in kept} | {"version": "1"}
    return [*found, save(new.tensors, metadata=metadata)]


def mutated(whole: bytes, draw: random.Random) -> bytes:
    """A damaged copy; half of them signed again, so that the digest does not protect the rest."""
    data = bytearray(whole)
    end = 8 + int.from_bytes(whole[:8], "little")
    kind = draw.choice(
        ("bits", "bits", "bytes", "number", "number", "cut", "grow", "length", "move")
    )
    if kind == "bits":
        for _ in range(draw.choice((1, 1, 2, 8))):
            data[draw.randrange(draw.choice((end, len(data))))] ^= 1 << draw.randrange(8)
    elif kind == "bytes":
        start = draw.randrange(len(data))
        data[start : start + 16] = draw.randbytes(min(16, len(data) - start))
    elif kind == "number":
        strange_number(data, end, draw)
    elif kind == "cut":
        del data[draw.randrange(len(data)) :]
    elif kind == "grow":
        data += draw.randbytes(draw.choice((1, 8, 4096)))
    elif kind == "length":
        data[:8] = draw.choice((draw.getrandbits(63), end, end - 9, 0, 2**20)).to_bytes(8, "little")
    else:
        start, length = draw.randrange(8, end), draw.randrange(1, 40)
        piece = data[start : start + length]
        del data[start : start + length]
        data[start + draw.randrange(20) : 0] = piece
    return signed_again(data) if draw.random() < 0.5 else bytes(data)


def strange_number(data: bytearray, end: int, draw: random.Random) -> None:
    """Replace one number of the header by something else, and mend the header's length."""
    header = data[8:end].decode()
    places = [i for i in range(1, len(header)) if header[i].isdigit() and header[i - 1] in ",:["]
    start = draw.choice(places)
    stop = start
    while header[stop].isdigit() or header[stop] == ".":
        stop += 1
    text = (header[:start] + draw.choice(STRANGE) + header[stop:]).encode()
    data[:end] = len(text).to_bytes(8, "little") + text


def signed_again(data: bytearray) -> bytes:
    """The bytes with a digest that fits them."""
    start = data.find(b'"sha256":"') + 10
    if start < 10 or len(data) < start + 64:
        return bytes(data)
    data[start : start + 64] = file.NO_DIGEST.encode()
    return file.signed(bytes(data))


def outcome(path: Path) -> str:
    """The sentence of the refusal, or "" when the file was read and computes."""
    try:
        packed = file.read(path)
    except InputError as error:
        return str(error)
    with torch.no_grad():
        packed.model(TOKENS)
    return ""


def peak_bytes() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(count: int, seed: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    draw = random.Random(seed)
    sentences, slowest = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        files = originals(Path(folder))
        for whole in files * 3:
            path.write_bytes(whole)
            assert outcome(path) == ""
        before = peak_bytes()
        for number in range(count):
            path.write_bytes(mutated(files[number % len(files)], draw))
            began = time.perf_counter()
            sentences.append(outcome(path))
            slowest = max(slowest, time.perf_counter() - began)
    told = {
        "files": count,
        "refused": sum(map(bool, sentences)),
        "longest_sentence": max(map(len, sentences)),
        "slowest_seconds": round(slowest, 3),
        "extra_memory_bytes": peak_bytes() - before,
        "claim_bytes": 4 * sum(p.numel() for p in tiny_model().parameters()),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
