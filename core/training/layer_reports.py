"""What quantizing did to each matrix of a student, for the result of its run."""

from torch import nn

from core.models.student import quantized_weights, weight_quantizers
from core.quantizers.error import quantization_error
from core.results import LayerReport


def layer_reports(student: nn.Module) -> tuple[LayerReport, ...]:
    """What quantizing did to each matrix of a student in eval mode."""
    weights = quantized_weights(student)
    reports = []
    for name, latent, quantizer in weight_quantizers(student):
        error = quantization_error(latent, weights[name])
        reports.append(
            LayerReport(
                name=name,
                part=quantizer.matrix.part,
                rows=latent.shape[0],
                cols=latent.shape[1],
                bits=quantizer.bits,
                granularity=quantizer.granularity,
                zeros=error.zeros,
                mse=error.mse,
                sqnr_db=error.sqnr_db,
                cosine=error.cosine,
            )
        )
    return tuple(reports)
