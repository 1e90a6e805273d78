"""Classify a text with a packed ternary BERT: numpy, safetensors and tokenizers, nothing else.

    python predict.py "A quiet film that stays with you."

Beside this file lie the packed student (the only .safetensors file) and its tokenizer.json. This is
the whole network, written to be read: unpack the codes, then embedding, layers, pooler, head. It
computes in float32 with fake-quantized activations, as the student was trained; it is not fast.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open
from tokenizers import Tokenizer

HERE = Path(__file__).parent
erf = np.vectorize(math.erf, otypes=[np.float32])


class Student:
    """An open packed file: `answer` maps a text (or a pair) to label -> probability."""

    def __init__(self, folder: Path = HERE) -> None:
        (packed,) = folder.glob("*.safetensors")
        with safe_open(packed, framework="np") as file:
            self.told = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        self.tensors = {
            name: value if value.dtype == np.uint8 else value.astype(np.float32)
            for name, value in tensors.items()
        }
        self.config = json.loads(self.told["config"])
        self.quant = json.loads(self.told["experiment"])["quant"]
        self.labels = json.loads(self.told["labels"])
        for name, (rows, cols, bits, *group) in json.loads(self.told["matrices"]).items():
            codes = unpack(self.tensors.pop(f"{name}.codes"), bits, rows * cols, self.told["codes"])
            codes = codes.reshape(rows, cols).astype(np.float32)
            scale = self.tensors.pop(f"{name}.scale")  # (1, 1), (rows, 1) or (rows, groups)
            scale = np.repeat(scale, group[0], axis=1)[:, :cols] if group else scale
            self.tensors[f"{name}.weight"] = codes * scale
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.config["max_position_embeddings"])

    def answer(self, *texts: str) -> dict[str, float]:
        """The probability of each label; of a student that predicts a number, that number."""
        encoded = self.tokenizer.encode(texts[0], texts[1] if len(texts) > 1 else None)
        logits = self.logits(np.array(encoded.ids), np.array(encoded.type_ids))
        if len(logits) == 1:
            return {"value": float(logits[0])}
        shares = np.exp(logits - logits.max())
        return dict(zip(self.labels, (shares / shares.sum()).tolist(), strict=True))

    def logits(self, ids: np.ndarray, types: np.ndarray) -> np.ndarray:
        """Logits (labels,) of one text, ids and types (tokens,)."""
        table = "bert.embeddings.{}_embeddings.weight".format
        x = self.tensors[table("word")][ids] + self.tensors[table("token_type")][types]
        x = x + self.tensors[table("position")][: len(ids)]
        x = self.normalize(x, "bert.embeddings.LayerNorm")
        for layer in range(self.config["num_hidden_layers"]):
            x = self.layer(x, f"bert.encoder.layer.{layer}")
        pooled = np.tanh(self.linear(x[:1], "bert.pooler.dense"))
        return (pooled @ self.tensors["classifier.weight"].T + self.tensors["classifier.bias"])[0]

    def layer(self, x: np.ndarray, name: str) -> np.ndarray:
        """One encoder layer, (tokens, hidden) to the same."""
        heads, tokens = self.config["num_attention_heads"], len(x)

        def headed(part: str) -> np.ndarray:  # (heads, tokens, depth)
            y = self.linear(x, f"{name}.attention.self.{part}")
            y = self.on_levels(y, f"{name}.attention.self.activation_quantizers.{part}")
            return y.reshape(tokens, heads, -1).transpose(1, 0, 2)

        query, key, value = headed("query"), headed("key"), headed("value")
        scores = query @ key.transpose(0, 2, 1) * np.float32(query.shape[-1] ** -0.5)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares = shares / shares.sum(axis=-1, keepdims=True)
        place = f"{name}.attention.self.activation_quantizers.probabilities"
        context = (self.on_levels(shares, place) @ value).transpose(1, 0, 2).reshape(x.shape)
        attended = self.linear(context, f"{name}.attention.output.dense")
        x = self.normalize(attended + x, f"{name}.attention.output.LayerNorm")
        inner = self.activate(self.linear(x, f"{name}.intermediate.dense"))
        return self.normalize(
            self.linear(inner, f"{name}.output.dense") + x, f"{name}.output.LayerNorm"
        )

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        """The layer `name` on x (tokens, in), which is put on its levels first."""
        x = self.on_levels(x, f"{name}.activation_quantizer")
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def activate(self, x: np.ndarray) -> np.ndarray:
        """The function between the two matrices of a layer, by its name in the config."""
        name = self.config["hidden_act"]
        if name == "relu":
            return np.maximum(x, 0)
        if name == "tanh":
            return np.tanh(x)
        if name in ("silu", "swish"):
            return x * (np.tanh(x / 2) + 1) * np.float32(0.5)  # x times the logistic function
        if name in ("gelu_new", "gelu_fast", "gelu_pytorch_tanh"):
            grown = np.tanh(np.float32((2 / math.pi) ** 0.5) * (x + np.float32(0.044715) * x**3))
        elif name in ("gelu", "gelu_python"):
            grown = erf(x / np.float32(2**0.5))
        else:
            raise ValueError(f"This file cannot compute the activation {name!r}.")
        return x * (grown + 1) * np.float32(0.5)

    def normalize(self, x: np.ndarray, name: str) -> np.ndarray:
        """LayerNorm over the last axis."""
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt(
            np.mean(centred**2, axis=-1, keepdims=True) + self.config["layer_norm_eps"]
        )
        return centred / spread * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]

    def on_levels(self, x: np.ndarray, name: str) -> np.ndarray:
        """x rounded to the levels of its activation quantizer."""
        bits, kind = self.quant["activation_bits"], self.quant["activation"]
        if bits == 32:
            return x
        if kind == "elastic":
            return self.on_learned_levels(x, name, bits)
        top = 2 ** (bits - 1) - 1
        # The range is that of all numbers of x, or of each token's.
        axis = -1 if self.quant.get("activation_scope") == "token" else None
        seen = self.tensors.get(f"{name}.range", x)  # the ends of a range that is fixed
        if kind == "minmax":
            low = np.minimum(seen.min(axis=axis, keepdims=True), np.float32(0))
            high = np.maximum(seen.max(axis=axis, keepdims=True), np.float32(0))
            scale = (high - low) / np.float32(2**bits - 1)
            scale[scale == 0] = 1
            zero = np.round(np.clip(-low / scale, 0, 2**bits - 1))
            return (np.clip(np.round(x / scale), -zero, 2**bits - 1 - zero)) * scale
        if kind == "symmetric":
            scale = np.abs(seen).max(axis=axis, keepdims=True) / np.float32(top)
            scale[scale == 0] = 1
        else:
            learned = self.tensors[f"{name}.step"].reshape(())
            first = np.float32(2) * np.abs(x).mean() / np.float32(top**0.5)
            scale = max(learned if learned else first, np.float32(1e-9))
        return np.clip(np.round(x / scale), -top, top) * scale

    def on_learned_levels(self, x: np.ndarray, name: str, bits: int) -> np.ndarray:
        """x on the levels of a learned step and shift; probabilities are never negative."""
        step, shift = self.tensors[f"{name}.step"].reshape(-1)
        lowest, highest = -max(1, 2 ** (bits - 1) - 1), max(1, 2 ** (bits - 1) - 1)
        if name.endswith("probabilities"):
            lowest, highest = 0, 2**bits - 1
        if step == 0:  # training has not set it
            step = np.abs(x).mean() * np.float32((2 if lowest else 4) / math.sqrt(highest))
        step = max(step, np.float32(1e-9))
        if bits == 1 and lowest:
            return np.where(x >= shift, step, -step)
        return np.clip(np.round((x - shift) / step), lowest, highest) * step


def unpack(data: np.ndarray, bits: int, count: int, layout: str) -> np.ndarray:
    """`count` codes out of packed bytes: five digits a byte, or `bits` bits each, lowest first."""
    if bits == 2 and layout == "base-3":
        digits = data[:, None].astype(np.int16) // 3 ** np.arange(5) % 3
        return (digits.reshape(-1)[:count] - 1).astype(np.int8)
    stream = np.unpackbits(data, count=count * bits, bitorder="little").reshape(count, bits)
    codes = stream.astype(np.int16) @ (1 << np.arange(bits)).astype(np.int16)
    if bits == 1:
        return (2 * codes - 1).astype(np.int8)
    return np.where(codes >= 1 << bits - 1, codes - (1 << bits), codes).astype(np.int8)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(Student().answer(*sys.argv[1:])) + "\n")
