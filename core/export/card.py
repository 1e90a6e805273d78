"""The model card: what a student is, what it was measured at, and what it is not good for.

Everything in it comes from records: the run's result, the experiment, the task, the file's own
audit. A figure that was not measured is left out, or said to be missing.
"""

import json
from dataclasses import dataclass

from core.experiment import QuantRecipe
from core.models.backbones import BACKBONES
from core.packed.audit import Part
from core.packed.choices import FLOAT32
from core.packed.contents import Contents
from core.results import Result, Score
from core.serialization import to_plain
from core.tasks.task import Task

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a card is written from. `result` is of the run, scored as it was trained (leftovers in
    float32); `stored` is the test score of the numbers in this very file, if it was taken;
    `has_predict` whether predict.py lies beside it."""

    contents: Contents
    task: Task
    result: Result | None
    stored: Score | None
    has_predict: bool
    parts: tuple[Part, ...]

    @property
    def size_bytes(self) -> int:
        """The packed file."""
        return sum(part.size_bytes for part in self.parts)


def model_card(facts: Facts, load_line: str) -> str:
    """README.md of an exported folder; `load_line` is how it is loaded back."""
    experiment, task = facts.contents.experiment, facts.task
    quant = experiment.quant
    return "\n".join(
        [
            _front_matter(facts),
            f"# {task.title}: {experiment.model}, {quant.label} bits",
            "",
            f"A {facts.contents.family.title} {_weights(facts.contents)}, trained by "
            "distillation from its full-precision teacher (TernaryBERT, Zhang et al. 2020). "
            f"{task.description}",
            "",
            *_results(facts),
            *_size(facts),
            "## Use",
            "",
            "With Ternary Lab installed, in its folder:",
            "",
            f"```python\n{load_line}\n```",
            "",
            *_snippet_use(facts),
            "The weights are packed (`quantization_config` in config.json), so the plain "
            "`from_pretrained` of transformers refuses this folder. Do not rename "
            "`packed.safetensors`: under the usual name it would be read as random weights.",
            "",
            *_data(facts),
            *_limits(facts),
            "## Experiment",
            "",
            f"Run `{experiment.run_id}`, seed {experiment.seed}{_program(facts.result)}:",
            "",
            f"```json\n{json.dumps(to_plain(experiment), indent=1)}\n```",
            "",
        ]
    )


def _snippet_use(facts: Facts) -> list[str]:
    if not facts.has_predict:
        return []
    task = facts.task
    texts = task.examples[0] if task.examples else task.texts
    return [
        "Without it, `predict.py` in this folder needs numpy, safetensors and tokenizers only:",
        "",
        f"```\npython predict.py {' '.join(json.dumps(text) for text in texts)}\n```",
        "",
    ]


def _weights(contents: Contents) -> str:
    quant = contents.experiment.quant
    bits = quant.weight_bits
    if quant.matrix_bits:
        widths = sorted({matrix.bits for matrix in contents.weights.values()})
        listed = " and ".join(", ".join(map(str, widths)).rsplit(", ", 1))
        return f"with weights of {listed} bits, matrix by matrix"
    if bits == 1:
        return "whose weights are -1 or +1 times a scale"
    if bits == 2:
        return "whose weights are -1, 0 or +1 times a scale"
    return f"with weights of {bits} bits"


def _front_matter(facts: Facts) -> str:
    model = facts.contents.experiment.model
    backbone = BACKBONES.get(model)
    return "\n".join(
        [
            "---",
            "library_name: ternary-lab",
            f"pipeline_tag: {facts.task.target.pipeline_tag}",
            f"base_model: {json.dumps(backbone.hub_id if backbone else model)}",
            f"datasets: [{json.dumps(facts.task.name)}]",
            f"metrics: [{json.dumps(facts.task.metric)}]",
            f"tags: [{facts.contents.family.name}, ternary, quantization, distillation]",
            "---",
            "",
        ]
    )


def _results(facts: Facts) -> list[str]:
    result = facts.result
    if result is None:
        return ["## Results", "", "This student was not scored.", ""]
    examples = result.test_examples
    rows = [
        ("teacher (float32)", result.teacher_score, result.teacher_standard_error),
        ("quantized, not trained", result.untrained_score, result.untrained_standard_error),
        ("student, leftovers in float32", result.score, result.score_standard_error),
    ]
    if facts.stored is not None:
        rows.append(
            ("student, as stored in this file", facts.stored.value, facts.stored.standard_error)
        )
    lines = [f"| {who} | {100 * value:.1f} ± {100 * error:.1f} |" for who, value, error in rows]
    missing = facts.stored is None and facts.contents.leftovers != FLOAT32
    return [
        "## Results",
        "",
        f"{result.metric} x 100 on {examples:,} test examples that nothing was selected on, "
        "± one standard error of that sample:",
        "",
        "| model | score |",
        "|---|---|",
        *lines,
        "",
        *(["The numbers as rounded in this file were not scored.", ""] if missing else []),
    ]


def _size(facts: Facts) -> list[str]:
    float32 = 4 * facts.contents.numbers
    return [
        "## Size",
        "",
        f"{facts.size_bytes:,} bytes ({facts.size_bytes / MIB:.2f} MiB); the same weights in "
        f"float32 take {float32 / MIB:.2f} MiB, {float32 / facts.size_bytes:.1f} times as much. "
        f"Codes {facts.contents.layout}, leftovers {facts.contents.leftovers}.",
        "",
        "| part | bytes |",
        "|---|---|",
        *(f"| {part.name} | {part.size_bytes:,} |" for part in facts.parts),
        "",
    ]


def _data(facts: Facts) -> list[str]:
    return ["## Data", "", f"{facts.task.name}: {facts.task.citation}.", ""]


def _program(result: Result | None) -> str:
    version = result.machine.ternary_lab if result else ""
    return f", trained with Ternary Lab {version}" if version else ""


def _company(quant: QuantRecipe) -> list[str]:
    """What texts that are computed together do to each other."""
    if quant.keeps_texts_apart or quant.activation_bits == 32:
        return []
    return [
        "- The range of an activation is that of the whole batch, so texts computed together "
        "change each other's logits a little. For answers that do not depend on company, compute "
        "one text at a time."
    ]


def _limits(facts: Facts) -> list[str]:
    experiment = facts.contents.experiment
    return [
        "## Limits",
        "",
        f"- Trained on texts of up to {experiment.train.max_tokens} tokens of one source; other "
        "kinds of text were not measured.",
        "- One seed. Another seed gives another score; the standard error does not cover that.",
        *_company(experiment.quant),
        "- It inherits whatever its backbone and its data got wrong.",
        "",
    ]
