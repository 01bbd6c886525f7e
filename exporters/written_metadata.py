"""What the metadata of a model say that came out of a quantisation."""

from edgevision.core.machine import Machine
from edgevision.exporters.quantization.engine_settings import RKNN, EngineSettings
from edgevision.exporters.quantization.report import Outcome, QuantizationReport
from edgevision.modelfiles.measured_engine import MeasuredEngine
from edgevision.modelfiles.metadata import ModelMetadata, Precision

_PRECISIONS = {
    Outcome.INT8: Precision.INT8,
    Outcome.WEIGHT_ONLY: Precision.INT8_WEIGHTS,
    Outcome.FP16: Precision.FP16,
    Outcome.FLOAT: Precision.FP32,
}


def written_metadata(
    metadata: ModelMetadata,
    outcome: Outcome,
    settings: EngineSettings,
    speedup: float | None,
    report: QuantizationReport,
) -> ModelMetadata:
    """``metadata`` with its precision and target, and what it was measured in.

    Args:
        speedup: how many times as fast it is there as in the other engine, if one was measured.
    """
    here = Machine.this()
    measured_in = MeasuredEngine(
        engine=settings.engine,
        inference_precision=settings.inference_precision,
        speedup=speedup,
        processor=here.processor,
        features=here.features,
        threads=report.threads,
    )
    return metadata.updated(
        target=report.target,
        # Rockchip's NPU has no float32.
        precision=Precision.FP16 if settings == RKNN and outcome is Outcome.FLOAT else _PRECISIONS[outcome],
        measured_in=measured_in if report.measured else None,
        judged_loss=report.judged_loss,
    )
