"""Every term of the field in one or two sentences, and where it comes from: the tooltips of all
pages and the list on the Theory page are these entries, and there is no other place for them.

`TERMS[key]` is the text of a tooltip. What can be set says what it is itself (`core.options`), so
its entries are read from there. tests/pages/test_glossary.py holds every tooltip to this list.
"""

from dataclasses import dataclass

import streamlit as st

from core.options import options

# Key | the term as people write it | where it comes from | what it means.
_LIST = """
# Weights
quantization | quantization | TernaryBERT (Zhang et al. 2020), section 3.1 | Rounding numbers to a few levels, so that each needs a few bits in place of 32.
2-2-8 | 2-2-8 | TernaryBERT (Zhang et al. 2020), section 3.1 | Three numbers such as 2-2-8 are the bits of the weights, of the word embedding and of the activations.
ternary | ternary | TWN (arXiv 1605.04711) | Of three values: -1, 0, +1 times a scale.
latent | latent weight | Courbariaux et al. 2015 (arXiv 1511.00363) | The float weight that training updates. The network computes with its quantized value.
code | code | this program | The small whole number that stands for a weight: weight = scale x code.
scale | scale | TernaryBERT (Zhang et al. 2020), section 3.1 | What a code of 1 stands for; the mean where there is more than one.
group | group | Shen et al., Q-BERT (arXiv 1909.05840) | So many columns of a row that share a scale: 32, 64 or 128. Smaller groups have nearer levels and more scales to store.
threshold | threshold | TWN (arXiv 1605.04711), section 2.3 | Weights whose magnitude is not above it become 0.
twn | TWN | Li et al. (arXiv 1605.04711) | Ternary Weight Networks: cut at 0.7 times the mean magnitude, scale by the mean of what is above. Blind to the loss.
lat | LAT | Hou and Kwok (arXiv 1802.08635) | Loss-aware ternarization: errors in weights that the loss feels count more; scale and codes are found in turns.
importance | importance | Hou, Yao and Kwok (arXiv 1611.01600) | How much the loss feels an error in a weight: the root of Adam's second moment, the mean square of its gradient.
alternation | alternation | Hou and Kwok (arXiv 1802.08635), section 3 | The best scale for the codes, then the nearest codes for the scale, until nothing moves. No turn makes the error larger.
optimal | exact optimum | the exact solution of TWN's problem (arXiv 1605.04711, equation 3) | The scale and codes with the smallest squared error that there is, found by sorting: the yardstick for all rules.
lsq | LSQ | Esser et al. (arXiv 1902.08153) | Learned step size: the scale is a parameter with a gradient of its own.
kdlsq | KDLSQ-BERT | Jin et al. (arXiv 2101.05938) | LSQ for BERT under distillation: clips are learned for weights and activations, each with a learning rate of its own, and labels are learned from too.
learned_clip | learned clip | KDLSQ-BERT (arXiv 2101.05938) | The outermost level: what lies beyond it is moved there. It is the step times the largest code.
absmean | absmean | BitNet b1.58 (arXiv 2402.17764) | The scale is the mean magnitude, the codes are the nearest levels.
binary | binary | Rastegari et al., XNOR-Net (arXiv 1603.05279) | One bit: every weight becomes -1 or +1 times the mean magnitude, and none can become zero.
uniform | uniform, max-abs | TernaryBERT (Zhang et al. 2020), section 3.1 | The largest magnitude is the outermost level. One outlier decides it.
ladder | ladder | this program | The same teacher quantized with more and more care: rounded, with the best scales, calibrated on a few texts, trained.
gptq | GPTQ | Frantar et al. (arXiv 2210.17323) | Rounds a matrix column by column; what a column's rounding does to the outputs is made up for in the columns to come. No training.
adaround | AdaRound | Nagel et al. (arXiv 2004.10568) | Decides for all weights of a matrix together whether each is rounded up or down, so that the outputs change least. No training.
bias_correction | bias correction | Nagel et al. (arXiv 1906.04721) | What rounding adds to each output on average is taken out of its bias.
smoothing | smoothing | SmoothQuant (Xiao et al., arXiv 2211.10438) | Wide channels of activations are made narrower, and the weights that read them wider by as much.
straight-through | straight-through estimator | Bengio et al. 2013 (arXiv 1308.3432) | Rounding has no useful gradient, so training takes the gradient at the rounded weight and applies it to the latent one.
qat | quantization-aware training | TernaryBERT (Zhang et al. 2020), algorithm 1 | Training in which the network computes with quantized weights, so that it learns around the rounding.
untrained | quantized without training | this program | The teacher's weights quantized as they are, without any training.

# The error of a matrix
zeros | zeros | this program | Share of weights that became exactly 0.
mse | MSE | this program | Mean squared error between latent and quantized weights.
sqnr | SQNR | signal processing | Signal-to-quantization-noise ratio: 10 log10(signal power / error power). Higher is better; 6 dB are about one bit.
cosine | cosine | this program | Cosine of the angle between the latent and the quantized matrix; 1 is no change.
weighted | weighted error | Hou and Kwok (arXiv 1802.08635) | Squared error in which each weight counts as much as the loss feels it (the gradients of 256 training sentences), relative to the weights themselves.
fisher | Fisher information | Hassibi and Stork 1992; SqueezeLLM (arXiv 2306.07629) | The mean square of the loss's gradient at a weight: half of it times a squared error is about how much the loss rises.
plan_loss | loss of a matrix | this program | Predicted: Fisher information times squared rounding error, summed over its weights. Measured: how far the answers move when it alone is quantized. Told in per cent of all matrices at the fewest bits.
frontier | frontier | this program | The plans that no other one beats in both bytes and loss.
budget | budget | this program | How large the whole packed file may be, its header included. A plan is never a byte larger.

# Activations
static_range | static range | Jacob et al. 2018 (arXiv 1712.05877) | A range of activations that is found on a few texts before training (calibration) and then stays; what lies outside is clipped.
percentile_range | percentile range | this program | A static range that leaves out the outermost thousandth of the values.
kl_range | KL range | KDLSQ-BERT (arXiv 2101.05938) | The clip at which what the levels can draw is most like the distribution that was seen.
outlier_channel | outlier channel | Outlier Suppression (arXiv 2209.13325) | One of the few channels of hidden states whose values lie far beyond all others, most of all at the marks around a text.
per_token | per token | ZeroQuant (arXiv 2206.01861) | Each token has a range of its own, so that neither an outlier in another token nor another text of the batch makes its steps wider.
elastic | elastic range | Liu et al., BiT (arXiv 2205.13016) | Step and shift of an activation are learned: numbers that are far out are clipped, and at one bit the border between the two codes is where it serves best.
zero_point | zero point | ONNX's DynamicQuantizeLinear | The code that stands for 0 where a range is not symmetric.

# The network
teacher | teacher | TernaryBERT (Zhang et al. 2020), section 3.2 | The fine-tuned model in full precision; it stays as it is.
student | student | TernaryBERT (Zhang et al. 2020), section 3.2 | The quantized model that learns from the teacher.
embedding | word embedding | Devlin et al. 2019 | The table with a row of numbers for each word piece; the largest part.
hidden_state | hidden state | Devlin et al. 2019 | The numbers that a layer hands on for each word piece.
attention_score | attention score | Vaswani et al. 2017 | How much one word piece looks at another, before the softmax: the product of a query and a key over the root of their length.
logit | logits | this program | A model's answers before the softmax: the largest one wins.
window | window | Devlin et al. 2019 | A passage that is longer than what is read at once is read in pieces that overlap.
pooler | pooler | Devlin et al. 2019 | The matrix between the last hidden state and the task's head.

# Training
distillation | distillation | TernaryBERT (Zhang et al. 2020), section 3.2 | The student learns to imitate its teacher: hidden states, attention scores, logits.
step | step | this program | One batch of examples, one update of all latent weights.

# Scores
dev | dev | this program | Examples on which choices are made; they are not trained on.
test | test | this program | Examples that nothing was selected on; scores are told on them.
standard_error | standard error | statistics | How far a score would vary with other test examples, or other seeds: the number after ±.
interval | 95 % interval | Student's t with Satterthwaite's degrees of freedom | Where a difference may lie, given the luck of the test examples and of the seeds. Where it holds zero, no difference is shown.
no_difference | no difference shown | this program | What was measured could be luck. It does not say that there is no difference.
mcnemar | McNemar's test | McNemar 1947 | Of two models on the same examples, only those count on which exactly one is right. A fair coin would fall as unevenly with probability p.
bootstrap | bootstrap | Efron 1979 | The examples are drawn again and again with replacement; the middle 95 % of what comes out is the interval.
gate | gate | Tango 1998 (Statistics in Medicine 17) | The student passes where the whole 95 % interval of its difference to the teacher, on the same examples, lies above this limit, fails where it lies below, and else nothing is shown.
power | power | Connor 1987 (Biometrics 43) | How often a difference that is there is also shown. Here 80 %: four samples of five.
margin | margin | this program | The probability of a model's first answer less that of its second.
agreement | agrees with teacher | this program | The share of test examples that student and teacher answer alike.
ablation | ablation | this program | The same training with one thing changed, to see what that thing brings.
front | front | Pareto | What nothing smaller beats.
published | published | this program | A figure that others have printed, of other models on other text; unverified where it was not read again in print.

# Bytes
packed | packed file | this program | The file with 2-bit codes (four in a byte), scales, and what stays in float.
codes | 2-bit, base-3 | ONNX's INT2; ggml's TQ1_0 | 2-bit: four ternary codes in a byte. base-3: five, because 3^5 = 243 fits into one.
leftovers | leftovers | TernaryBERT (Zhang et al. 2020), section 3.1 | Scales, biases, LayerNorm, position embedding and head: everything that is not a code.
mib | MiB | IEC | 1,048,576 bytes. The paper prints MB and means the same.
times_smaller | times smaller | TernaryBERT (Zhang et al. 2020), section 3.1 | The bytes of the model in float32, 4 a weight, over those of the packed file.
latency | ms | this program | Time of the forward pass of this one example, when it was first asked.
"""  # noqa: E501


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term as people write it, what it means, its source, and what it belongs to."""

    name: str
    text: str
    source: str
    group: str


def _read(text: str) -> dict[str, Term]:
    """The terms by key; a line that begins with "#" names the group of those below it."""
    found: dict[str, Term] = {}
    group = ""
    for line in filter(None, text.splitlines()):
        if line.startswith("# "):
            group = line.removeprefix("# ")
            continue
        key, name, source, meaning = (part.strip() for part in line.split("|"))
        assert key not in found, key
        found[key] = Term(name=name, text=meaning, source=source, group=group)
    return found


def _settings() -> dict[str, Term]:
    """Every option of a run, under its name."""
    return {
        option.name: Term(
            name=option.about.label,
            text=option.help,
            source=f"option --{option.name.replace('_', '-')}",
            group="What can be set",
        )
        for option in options()
    }


GLOSSARY = _read(_LIST) | _settings()
TERMS = {key: term.text for key, term in GLOSSARY.items()}


def explain_bits() -> None:
    """What 2-2-8 means, where a page first shows such a number."""
    st.caption(TERMS["2-2-8"])
