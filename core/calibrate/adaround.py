"""AdaRound: up or down, decided for all weights of a matrix together (Nagel et al., arXiv
2004.10568).

Each weight lies between two levels. Which of them is nearer says little about which of them is
better for the outputs, since errors of several weights can cancel. So a number between 0 (down) and
1 (up) is learned for every weight, h = clip(1.2 sigmoid(v) - 0.1, 0, 1), by descent on

    mean |W x - V x|^2 + lambda sum(1 - |2 h - 1|^beta),   V = scale (floor(W / scale) + h)

clipped to the levels. The second term pushes h to 0 or 1, gently at first (beta = 20) and then
without mercy (beta = 2); it begins after a fifth of the iterations. With the Gram matrix of the
inputs the gradient of the first term is 2 (V - W) G: no text is read again, and no graph is kept.

A row that came out worse than its nearest levels keeps those, so no row's error becomes larger.
"""

from dataclasses import replace

import torch
from torch import Tensor

from core.calibrate.gptq import nearest, output_error, scale_of_each
from core.quantizers.quantizer import Quantized, levels

LOW, HIGH = -0.1, 1.1  # what the sigmoid is stretched to, so that 0 and 1 are reached
BETA_START, BETA_END = 20.0, 2.0
WARM_UP = 0.2  # share of the iterations without the second term
STRENGTH = 3.0  # of the second term's mean, where the error of the nearest levels is 1
RATE = 0.1
MOMENTUM, SPREAD, EPSILON = 0.9, 0.999, 1e-8  # Adam's


def learned_rounding(weight: Tensor, start: Quantized, gram: Tensor, iterations: int) -> Quantized:
    """`start` with other codes. weight (rows, cols) float32; gram (cols, cols) float64."""
    apart = 2 if start.bits == 1 else 1  # codes of one bit are -1 and 1, others one apart
    scale, top = scale_of_each(start) * apart, levels(start.bits) / apart
    safe = torch.where(scale > 0, scale, 1.0)
    ratio = torch.where(scale > 0, weight.detach() / safe, 0.0)
    below = (ratio.floor() if apart == 1 else ratio * 0).clamp(-top, top - 1)  # of two levels
    part = (ratio - below).clamp(0.01, 0.99)
    found = _descend(weight.detach(), scale, below, part, gram.float(), iterations)
    codes = ((below + (found >= 0.5)) * apart).to(start.codes.dtype)
    usual = nearest(weight, start)
    rounded = replace(usual, codes=codes)
    worse = output_error(weight, rounded, gram) > output_error(weight, usual, gram)
    return replace(rounded, codes=torch.where(worse[:, None], usual.codes, codes))


def _descend(
    weight: Tensor, scale: Tensor, below: Tensor, part: Tensor, gram: Tensor, iterations: int
) -> Tensor:
    """h after so many steps of Adam, started from the weights themselves: h = `part`."""
    v = torch.logit((part - LOW) / (HIGH - LOW))
    first, second = torch.zeros_like(v), torch.zeros_like(v)
    gap = (below + part.round()) * scale - weight
    usual = float(((gap @ gram) * gap).sum())  # the error of the nearest levels
    if usual <= 0:
        return part
    for step in range(iterations):
        sigmoid = v.sigmoid()
        stretched = sigmoid * (HIGH - LOW) + LOW
        h = stretched.clamp(0.0, 1.0)
        slope = 2 * (((below + h) * scale - weight) @ gram) * scale / usual
        slope += _push(h, step / iterations)
        slope *= (HIGH - LOW) * sigmoid * (1 - sigmoid) * (stretched == h)
        first.lerp_(slope, 1 - MOMENTUM)
        second.lerp_(slope * slope, 1 - SPREAD)
        unbiased = first / (1 - MOMENTUM ** (step + 1))
        v -= RATE * unbiased / ((second / (1 - SPREAD ** (step + 1))).sqrt() + EPSILON)
    return (v.sigmoid() * (HIGH - LOW) + LOW).clamp(0.0, 1.0)


def _push(h: Tensor, done: float) -> Tensor | float:
    """The slope of the second term, (rows, cols), when a share `done` of the iterations is over."""
    if done < WARM_UP:
        return 0.0
    beta = BETA_END + (BETA_START - BETA_END) * (1 - done) / (1 - WARM_UP)
    apart = 2 * h - 1
    return -STRENGTH / h.numel() * 2 * beta * apart.sign() * apart.abs() ** (beta - 1)
