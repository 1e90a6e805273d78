"""The distillation losses (TernaryBERT section 3.2; PAPER 3), terms by name.

    hidden             sum over the hidden states of the mean squared difference to the teacher's
    attention          sum over layers of that of the scores Q K^T / sqrt(d), before the softmax
    logits             cross-entropy of the student's answers against the teacher's
    labels             cross-entropy against the truth (off in the paper)
    attention_maps     sum over layers of KL(teacher || student) of the probabilities after it
    attention_outputs  sum over layers of the difference of what attention gives (both off there)
    margins            of a ranking: squared difference of the margins between candidates

The loss is the weighted sum in this order. The target says what its two losses are (a value has
squared errors), the family which traces there are and how they are compared.
"""

from collections.abc import Mapping, Set

import torch
from torch import Tensor

from core.errors import InputError
from core.experiment import DistillRecipe
from core.family import Family, Outputs
from core.targets.target import Target

# Each term as it is summed; bars are means over what is no padding. Those of classes: a number has
# squared errors in place of the cross-entropies, a passage has them for the start and the end.
FORMULAS = {
    "hidden": r"\sum_{l=0}^{L} \overline{(H^S_l - H^T_l)^2}",
    "attention": r"\sum_{l=1}^{L} \overline{(A^S_l - A^T_l)^2},\quad A = QK^\top / \sqrt{d}",
    "logits": r"-t^2 \sum_c p^T_c \log p^S_c,\quad p = \mathrm{softmax}(z / t)",
    "labels": r"-\log p^S_y",
    "attention_maps": r"\sum_{l=1}^{L} \mathrm{KL}(\sigma(A^T_l) \,\|\, \sigma(A^S_l))",
    "attention_outputs": r"\sum_{l=1}^{L} \overline{(O^S_l - O^T_l)^2}",
    "margins": r"\overline{\left((z^S_+ - z^S_-) - (z^T_+ - z^T_-)\right)^2}",
}
OF_LANGUAGE = DistillRecipe(logits=0.0)  # hidden and attention: a language model has no head


def traces_of(family: Family, recipe: DistillRecipe) -> Set[str]:
    """The traces that the losses of `recipe` need, and those that are shown always."""
    wanted = {name for name, weight in recipe.weights() if weight and name in family.distances}
    return wanted | family.always


def check_losses(family: Family, target: Target, recipe: DistillRecipe) -> None:
    """Raise InputError for a loss that this model or this task does not have."""
    known = {"logits", "labels", *family.distances, *target.more_losses}
    for name, weight in recipe.weights():
        if weight and name not in known:
            raise InputError(
                f"There is no {name.replace('_', ' ')} loss for {target.words}. Set its weight to "
                f"0; there are: {', '.join(sorted(known))}."
            )


def losses(
    student: Outputs,
    teacher: Outputs,
    labels: Mapping[str, Tensor],
    recipe: DistillRecipe,
    family: Family,
    target: Target,
) -> dict[str, Tensor]:
    """Every term, an unweighted scalar, by name: the target's, and one for each trace that both
    have."""
    terms = {
        "logits": target.teacher_loss(student.answers, teacher.answers, labels, recipe.temperature),
        "labels": target.label_loss(student.answers, labels),
    }
    for name, loss in target.more_losses.items():
        terms[name] = loss(student.answers, teacher.answers, labels)
    for name, traces in student.traces.items():
        distance, total = family.distances[name], torch.zeros(())
        for ours, theirs in zip(traces, teacher.traces[name], strict=True):
            total = total + distance(ours, theirs)
        terms[name] = total
    return terms


def total(terms: Mapping[str, Tensor], recipe: DistillRecipe) -> Tensor:
    """The weighted sum in the order of the recipe; a term of weight 0 adds nothing, not even its
    gradient."""
    parts = [weight * terms[name] for name, weight in recipe.weights() if weight]
    return torch.stack(parts).sum()
