"""Numbers as text, and the terms of the field in one line each (tooltips).

Accuracy in per cent with one decimal and its standard error, sizes in MiB with the ratio, times
in ms or s: everywhere the same.
"""

TERMS = {
    "method": "The rule that turns float weights into a few levels: which threshold, which scale.",
    "bits": "2 bits: three levels (-1, 0, +1). 3, 4, 8 bits: 7, 15, 255 levels. 32: left alone.",
    "granularity": "One scale for the whole matrix (layer), or one for each of its rows (row).",
    "activation_bits": "Every input of a matrix product is rounded to 2^bits levels on the fly.",
    "activation": "minmax: the range from smallest to largest value, with a zero point. "
    "symmetric: the same distance to both sides of zero.",
    "zeros": "Share of weights that became exactly 0.",
    "sqnr": "Signal-to-quantization-noise ratio: 10 log10(signal power / error power). Higher is "
    "better; 6 dB are about one bit.",
    "cosine": "Cosine of the angle between the latent and the quantized matrix; 1 is no change.",
    "mse": "Mean squared error between latent and quantized weights.",
    "scale": "What a code of 1 stands for; the mean over the rows where each has its own.",
    "weighted": "Squared error in which each weight counts as much as the loss feels it (the "
    "gradients of 256 training sentences), relative to the weights themselves.",
    "latent": "The float weight that training updates. The network computes with its quantized "
    "value.",
    "untrained": "The teacher's weights quantized as they are, without any training.",
    "distillation": "The student learns to imitate its teacher: hidden states, attention scores, "
    "logits.",
    "packed": "The file with 2-bit codes (four in a byte), scales, and what stays in float.",
    "codes": "2-bit: four ternary codes in a byte. base-3: five, because 3^5 = 243 fits into one.",
    "leftovers": "Scales, biases, LayerNorm, position embedding and head: everything that is not "
    "a code.",
    "seed": "Another seed is another order of the training sentences: the spread between seeds is "
    "the luck in a result.",
}

WHO = {
    "teacher": "teacher (full precision)",
    "untrained": "quantized without training",
    "student": "trained student",
}


def percent(value: float, standard_error: float | None = None) -> str:
    """0.847 -> "84.7 %", with its standard error "84.7 ± 1.1 %"."""
    if standard_error is None:
        return f"{100 * value:.1f} %"
    return f"{100 * value:.1f} ± {100 * standard_error:.1f} %"


def size(size_bytes: int, of_bytes: int | None = None) -> str:
    """Bytes in MiB, and how many times smaller than `of_bytes`."""
    text = f"{size_bytes / 2**20:.1f} MiB"
    if of_bytes is None or of_bytes == size_bytes:
        return text
    return f"{text}, {of_bytes / size_bytes:.1f}x smaller"


def duration(seconds: float) -> str:
    """48 -> "48 s", 130 -> "2 min 10 s"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
