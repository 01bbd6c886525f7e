"""What comes of a quantisation, also where there was no time for one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx

from edgevision.exporters.quantization.batches import representatives
from edgevision.exporters.quantization.calibration import CalibrationData
from edgevision.exporters.quantization.engine_settings import EngineSettings
from edgevision.exporters.quantization.forms import GivenModel
from edgevision.exporters.quantization.qdq import Plan
from edgevision.exporters.quantization.report import (
    AS_GIVEN,
    CLEANED,
    NOT_JUDGED,
    Form,
    NodePrecision,
    Outcome,
    QuantizationReport,
)
from edgevision.exporters.quantization.settings import QuantizationSettings
from edgevision.exporters.quantization.targets import find_target
from edgevision.exporters.quantization.time_budget import TimeBudget
from edgevision.exporters.quantization.verdict import NO_TIME, Written
from edgevision.runtime.benchmark.timing import Feeds
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.quality import QualityMeasure
from edgevision.runtime.tasks.samples import Batch


@dataclass(frozen=True)
class Quantized:
    """What is ``written``, what was found out about it, and some of the inputs it was calibrated with.

    ``candidates`` are the models that might have been written, by the names of their files, ``nodes`` their operators;
    ``feeds`` is what they were timed on. ``float_model`` is what those with int8 were made from, ``measure`` what
    judged them; ``None`` where there was no time for it.
    """

    written: Written
    float_model: onnx.ModelProto
    report: QuantizationReport
    measure: QualityMeasure | None
    samples: Batch
    candidates: Mapping[str, Written]
    nodes: Mapping[str, tuple[NodePrecision, ...]]
    feeds: Sequence[Feeds]


def untried(
    model: onnx.ModelProto,
    reference: Engine,
    data: CalibrationData,
    engine: EngineSettings,
    settings: QuantizationSettings,
    given: GivenModel | None,
    time_budget: TimeBudget,
) -> Quantized:
    """The float ``model``, which was compared with nothing for want of time."""
    name = AS_GIVEN if given is None or given.model is model else CLEANED
    written = Written(model, Outcome.FLOAT, engine, Plan())
    samples = representatives(data.portions.batches)
    form = Form(name=name, figures={}, loss=-math.inf, size_bytes=model.ByteSize(), engine=engine.title, written=True)
    report = QuantizationReport(
        outcome=Outcome.FLOAT,
        verdict=f"{NO_TIME}; written is the float32 model, which was not timed",
        target=find_target(settings.target).name,
        measured=False,
        expected_speedup=None,
        metric=NOT_JUDGED,
        unit="",
        budget=0.0,
        source=data.source,
        ranges="none",
        forms=(form,),
        trials=(),
        nodes=(),
        notes=data.notes + want_of_time(time_budget),
        threads=settings.threads,
        prefer=settings.prefer,
        seconds=0.0,
    )
    return Quantized(
        written=written,
        float_model=model,
        report=report,
        measure=None,
        samples=samples,
        candidates={name: written},
        nodes={name: ()},
        feeds=[{spec.name: array for spec, array in zip(reference.inputs, samples, strict=True)}],
    )


def want_of_time(budget: TimeBudget) -> tuple[str, ...]:
    """A note on what was left out."""
    if not budget.left_out:
        return ()
    return (f"left out for want of time: {', '.join(budget.left_out)}; a longer --budget or --preset has more",)
