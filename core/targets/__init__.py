"""What is asked of a model, one file each: from named outputs to losses, answers and a score."""

from core.targets.registry import find_target, metric_of, targets

__all__ = ["find_target", "metric_of", "targets"]
