"""A packed BERT as an ONNX graph: the same formulas as the torch student, in integers.

The twin of the library's `modeling_bert`, of `attention_with_scores` and of `QuantLinear`, for any
batch and length. It also draws the unquantized teacher (contents without codes, 32-bit
activations): the plain FP32 graph that the engine is compared with.

Hidden states are kept as (tokens, batch, hidden). So the heads, (tokens, batch, heads, depth), need
no copy in another order before the two products of attention: the runtime reads them with strides.
"""

import math

import numpy as np

from core.errors import InputError
from core.families.bert.config import ACTIVATIONS, GELU, RELU, SILU, TANH, check_config
from core.packed.contents import Contents
from core.packed.graph import Graph, onnx
from core.packed.operators import Operators

INPUTS = ("input_ids", "token_type_ids", "attention_mask")
OUTPUT = "logits"
CLASSIFIER, ANSWERS = "classifier", "qa_outputs"  # heads: on the pooled first token, on every token
_LOWEST = float(np.finfo(np.float32).min)


def draw(contents: Contents, storage: str) -> bytes:
    """The ONNX model of a packed student; inputs (batch, tokens) int64, output `logits`.

    `storage` "int2" keeps ternary codes as INT2. Raises InputError when it has a setting or a head
    that the graph does not know.
    """
    config = contents.config
    check_config(config)
    graph = Graph()
    network = _Network(graph, contents, storage)
    hidden = network.embed()
    mask = network.mask()
    for layer in range(config.num_hidden_layers):
        hidden = network.layer(hidden, mask, f"bert.encoder.layer.{layer}")
    logits, axes = network.head(hidden)
    return graph.to_bytes(INPUTS, ("batch", "tokens"), (logits, OUTPUT), axes)


class _Network:
    """The parts of the network, each adding its operators."""

    def __init__(self, graph: Graph, contents: Contents, storage: str) -> None:
        self.graph, self.contents, self.config = graph, contents, contents.config
        self.operators = Operators(
            graph, contents.experiment.quant, contents.weights, contents.rest, storage
        )

    def embed(self) -> str:
        """Word + type + position, normalized: (tokens, batch, hidden)."""
        graph, operators, names = self.graph, self.operators, "bert.embeddings"
        ids = graph.op("Transpose", "input_ids", perm=[1, 0])
        types = graph.op("Transpose", "token_type_ids", perm=[1, 0])
        tokens = graph.op("Shape", ids, start=0, end=1)
        table = operators.parameter(f"{names}.position_embeddings.weight")
        zero = graph.whole(0)
        positions = graph.op(
            "Unsqueeze", graph.op("Slice", table, zero, tokens, zero), graph.whole(1)
        )
        words = operators.rows(ids, f"{names}.word_embeddings")
        words = graph.op("Add", words, operators.rows(types, f"{names}.token_type_embeddings"))
        return self._normalize(graph.op("Add", words, positions), f"{names}.LayerNorm")

    def mask(self) -> str:
        """0 where a token is, a large negative number where padding is: (batch, 1, 1, tokens)."""
        graph = self.graph
        present = graph.op("Cast", "attention_mask", to=onnx().TensorProto.FLOAT)
        absent = graph.op("Sub", graph.number(1.0), present)
        return graph.op(
            "Unsqueeze", graph.op("Mul", absent, graph.number(_LOWEST)), graph.whole(1, 2)
        )

    def layer(self, hidden: str, mask: str, names: str) -> str:
        """One encoder layer, (tokens, batch, hidden) to the same."""
        graph, linear = self.graph, self.operators.linear
        context = self._attention(hidden, mask, f"{names}.attention.self")
        attended = linear(context, f"{names}.attention.output.dense")
        hidden = self._normalize(
            graph.op("Add", attended, hidden), f"{names}.attention.output.LayerNorm"
        )
        inner = self._activate(linear(hidden, f"{names}.intermediate.dense"))
        outer = linear(inner, f"{names}.output.dense")
        return self._normalize(graph.op("Add", outer, hidden), f"{names}.output.LayerNorm")

    def _attention(self, hidden: str, mask: str, names: str) -> str:
        graph, imitate = self.graph, self.operators.imitate
        width, heads = self.config.hidden_size, self.config.num_attention_heads
        depth = width // heads

        def headed(part: str) -> str:
            projected = self.operators.linear(hidden, f"{names}.{part}")
            levels = imitate(projected, f"{names}.activation_quantizers.{part}")
            return graph.op("Reshape", levels, graph.whole(0, 0, heads, depth))

        query = graph.op("Transpose", headed("query"), perm=[1, 2, 0, 3])
        key = graph.op("Transpose", headed("key"), perm=[1, 2, 3, 0])
        value = graph.op("Transpose", headed("value"), perm=[1, 2, 0, 3])
        scores = graph.op("Mul", graph.op("MatMul", query, key), graph.number(depth**-0.5))
        shares = graph.op("Softmax", graph.op("Add", scores, mask), axis=-1)
        shares = imitate(shares, f"{names}.activation_quantizers.probabilities")
        context = graph.op("Transpose", graph.op("MatMul", shares, value), perm=[2, 0, 1, 3])
        return graph.op("Reshape", context, graph.whole(0, 0, width))

    def _activate(self, x: str) -> str:
        graph, function = self.graph, ACTIVATIONS[self.config.hidden_act]
        if function == RELU:
            return graph.op("Relu", x)
        if function == TANH:
            return graph.op("Tanh", x)
        if function == SILU:
            return graph.op("Mul", x, graph.op("Sigmoid", x))
        # x (1 + erf(x / sqrt 2)) / 2, in the shape that runtimes know as Gelu
        if function == GELU:
            grown = graph.op("Erf", graph.op("Div", x, graph.number(2.0**0.5)))
        else:
            grown = graph.op("Tanh", self._nearly_normal(x))
        doubled = graph.op("Mul", x, graph.op("Add", grown, graph.number(1.0)))
        return graph.op("Mul", doubled, graph.number(0.5))

    def _nearly_normal(self, x: str) -> str:
        """sqrt(2 / pi) (x + 0.044715 x^3), whose tanh is close to erf(x / sqrt 2)."""
        graph = self.graph
        cube = graph.op("Mul", graph.op("Mul", x, x), x)
        bent = graph.op("Add", x, graph.op("Mul", cube, graph.number(0.044715)))
        return graph.op("Mul", bent, graph.number((2.0 / math.pi) ** 0.5))

    def _normalize(self, x: str, names: str) -> str:
        parameter = self.operators.parameter
        return self.graph.op(
            "LayerNormalization",
            x,
            parameter(f"{names}.weight"),
            parameter(f"{names}.bias"),
            epsilon=self.config.layer_norm_eps,
        )

    def head(self, hidden: str) -> tuple[str, list[str | int]]:
        """The logits and their axes: (batch, labels), or (batch, tokens, 2) of a span finder."""
        graph, rest = self.graph, self.contents.rest
        if f"{CLASSIFIER}.weight" in rest:
            first = graph.op("Gather", hidden, graph.constant("first", np.asarray(0)), axis=0)
            pooled = graph.op("Tanh", self.operators.linear(first, "bert.pooler.dense"))
            return self._plain(pooled, CLASSIFIER), ["batch", len(rest[f"{CLASSIFIER}.bias"])]
        if f"{ANSWERS}.weight" in rest:
            ordered = graph.op("Transpose", hidden, perm=[1, 0, 2])
            return self._plain(ordered, ANSWERS), ["batch", "tokens", len(rest[f"{ANSWERS}.bias"])]
        raise InputError(
            f"The engine knows the heads {CLASSIFIER} and {ANSWERS}; this model has neither. "
            "Use it with torch."
        )

    def _plain(self, x: str, name: str) -> str:
        """A layer of full precision on an unquantized input."""
        graph, bias = self.graph, self.operators.parameter(f"{name}.bias")
        weight = self.contents.rest[f"{name}.weight"].numpy()
        if not self.contents.experiment.quant.keeps_texts_apart:
            product = graph.op("MatMul", x, graph.constant(f"{name}.weight", weight.T))
            return graph.op("Add", product, bias)
        # From the other side, so that the runtime multiplies each text by itself.
        left = graph.constant(f"{name}.weight", weight)
        per_token = name == ANSWERS
        turned = (
            graph.op("Transpose", x, perm=[0, 2, 1])
            if per_token
            else graph.op("Unsqueeze", x, graph.whole(2))
        )
        product = graph.op("MatMul", left, turned)  # (batch, labels, tokens or 1)
        product = (
            graph.op("Transpose", product, perm=[0, 2, 1])
            if per_token
            else graph.op("Squeeze", product, graph.whole(2))
        )
        return graph.op("Add", product, bias)
