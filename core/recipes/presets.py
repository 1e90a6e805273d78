"""Recipes of other papers, as options on top of the usual ones: one name sets them all."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.errors import one_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Values by the names of options, in the spelling of the command line."""

    title: str
    about: str
    options: Mapping[str, str]


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "kdlsq": Preset(
            title="KDLSQ-BERT's recipe",
            about="As the authors' code of KDLSQ-BERT (arXiv 2101.05938) has it: learned clips for "
            "weights and activations, started by KL divergence, three learning rates, labels "
            "beside the teacher. It sets losses, batch and rates of training, too. Their weights "
            "learn slowly: for a few hundred steps choose a higher learning rate.",
            options=MappingProxyType(
                {
                    "method": "lsq",
                    "weight_granularity": "layer",
                    "embedding_granularity": "layer",
                    "activation": "lsq",
                    "activation_scope": "static",
                    "calibration": "kl",
                    "calibration_texts": "16",
                    "learned_as": "clip",
                    "learned_start": "kl",
                    "learned_gradient": "plain",
                    "weight_gradient": "straight",
                    "labels": "1.0",
                    "batch_size": "16",
                    "warmup": "0.0",
                    "learning_rate": "5e-05",
                    "step_learning_rate": "0.001",
                    "step_decay": "2e-05",
                    "activation_step_learning_rate": "0.03",
                    "activation_step_decay": "0.0001",
                }
            ),
        )
    }
)


def options_of(name: str) -> dict[str, str]:
    """What a preset sets; nothing for "". Raises InputError for one that there is not."""
    if not name:
        return {}
    one_of("Preset", name, PRESETS)
    return dict(PRESETS[name].options)
