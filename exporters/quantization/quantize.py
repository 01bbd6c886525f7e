"""``edgevision export --int8``: the float model in, the fastest form within the quality budget out, with its proof."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir

from edgevision.core.errors import InputError
from edgevision.exporters.passes.ir import constant_input, to_ir, to_proto
from edgevision.exporters.quantization.calibration import CalibrationData
from edgevision.exporters.quantization.equalization import Equalization
from edgevision.exporters.quantization.node_times import Profile, profile
from edgevision.exporters.quantization.observations import Observations, observe
from edgevision.exporters.quantization.prepared_graphs import prepare_graphs
from edgevision.exporters.quantization.qdq import Plan, Quantizer
from edgevision.exporters.quantization.ranges import RangeMethod, choose_range
from edgevision.exporters.quantization.report import (
    NodePrecision,
    OperatorPrecision,
    QuantizationReport,
)
from edgevision.exporters.quantization.search import Choice, Search
from edgevision.exporters.quantization.settings import EFFORTS, QuantizationSettings
from edgevision.exporters.quantization.targets import Target, find_target, is_this_machine
from edgevision.exporters.quantization.trials import Bench, Opener, Trials
from edgevision.exporters.quantization.units import WEIGHTED, Unit, find_units
from edgevision.exporters.quantization.verdict import Candidates, decide
from edgevision.exporters.quantization.weights import quantize_weights
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.quality import OutputQuality, QualityMeasure
from edgevision.runtime.tasks.samples import Batch

_log = logging.getLogger(__name__)

# Fewer weights than this are not worth two nodes more.
_FEWEST_STORED = 256
# What the calibration has not seen is cut off, which with 16 bits would cost more than all their rounding. Twice the
# range costs one of the bits.
_HEADROOM = 2
# A scale in float32 may be rounded up by less than this.
_JUST_BELOW = 1 - 2**-20
# What single units are ranked on.
_RANKING_SAMPLES = 16
_SHARE_OF_RANKING = 0.4

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Quantized:
    """The ``model`` to write, what was found out about it, and some of the inputs it was calibrated with."""

    model: onnx.ModelProto
    report: QuantizationReport
    samples: Batch


def quantize(
    model: onnx.ModelProto,
    gather: Callable[[Engine], CalibrationData],
    open_model: Opener,
    settings: QuantizationSettings,
    *,
    format: ModelFormat,
    log: Path | None,
    say: Progress,
) -> Quantized:
    """Find the form of the float ``model`` that runs fastest on the target within the quality budget.

    Args:
        gather: makes the calibration data and the judge with an engine of the float model.
        open_model: loads a candidate on the engine it is to be measured with.
        log: where candidates are noted while the search lasts, so that an interrupted one can go on.

    Raises:
        InputError: the model is quantised already, has nothing to quantise, or the data does not fit.
        DatasetError, DeviceError: the data cannot be read, the engine does not run the model.
    """
    start = time.monotonic()
    target = find_target(settings.target)
    effort = EFFORTS[settings.preset]
    _check(model)
    with ExitStack() as stack:
        plain = stack.enter_context(open_model(model))
        say("reading the calibration data")
        material = collect_calibration_data(plain)
        fixed = plain.inputs[0].shape[0]
        size = fixed if isinstance(fixed, int) else 1
        if isinstance(fixed, int):
            material = replace(material, batches=_portions(material.batches, size))
        judge = material.measure
        budget = _budget(judge, settings.max_drop)
        first = material.batches[0]
        feeds = {spec.name: array[:size] for spec, array in zip(plain.inputs, first, strict=True)}
        examples = list(feeds.values())
        measured = is_this_machine(target) and not target.npu
        say("preparing the graph")
        prepared = prepare_graphs(model, examples, target, format)
        say("calibrating")
        quantizer, method = _calibrated(prepared.int8_ready, material.batches, target, open_model)
        units = [unit for unit in quantizer.units.values() if _is_computable(unit, target)]
        everything = frozenset(unit.name for unit in units)
        bench = Bench(open_model, judge, plain if measured else None, feeds, effort.timing)
        key = _key(model, settings, format, material)
        trials = Trials(lambda plan: _made(plan, quantizer, prepared.fast), bench, log, key)
        say(f"trying {len(units)} operators in int8")
        deadline = time.monotonic() + effort.seconds
        if units:
            noise = _noise(quantizer, units, material.batches, open_model, deadline, _SHARE_OF_RANKING * effort.seconds)
            timed = Profile({}, ())
            if measured and format is ModelFormat.ONNX:
                whole = quantizer(Plan(everything))
                timed = profile(quantizer.model, whole, units, feeds, settings.threads)
            choice = Search(
                trials, units, noise, timed, budget, deadline, wide=target.wide_activations is not None
            ).run()
        else:
            noise, choice = {}, Choice(Plan())
        say("measuring the verdict")
        verdict = decide(
            Candidates(model, prepared.fast, Plan(everything), choice.plan, quantizer.storable),
            trials,
            bench,
            target,
            budget=budget,
            seconds=3 * effort.timing,
            prefer=settings.prefer,
            format=format,
        )
        report = QuantizationReport(
            outcome=verdict.outcome,
            verdict=verdict.reason,
            target=target.name,
            measured=measured,
            expected_speedup=None if measured else target.speedup,
            metric=judge.metric,
            unit=judge.unit,
            budget=budget,
            source=material.source,
            ranges=method.value,
            forms=verdict.forms,
            trials=trials.all,
            nodes=_nodes(quantizer, verdict.plan, choice, noise, target),
            notes=material.notes + prepared.notes + verdict.notes,
            threads=settings.threads,
            seconds=round(time.monotonic() - start, 1),
        )
    return Quantized(verdict.model, report, _few(material.batches))


def _check(model: onnx.ModelProto) -> None:
    operators = {node.op_type for node in model.graph.node}
    quantized = sorted(
        operators & {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger"}
    )
    if quantized:
        raise InputError(f"the model is quantised already (it holds {', '.join(quantized)}): export the float model")


def _budget(judge: QualityMeasure, max_drop: float | None) -> float:
    if max_drop is None:
        return judge.budget
    # Where the loss is a negative SQNR, what is asked is at least so much of it.
    return -abs(max_drop) if judge.budget < 0 else max_drop


def _calibrated(
    model: onnx.ModelProto, batches: Sequence[Batch], target: Target, open_model: Opener
) -> tuple[Quantizer, RangeMethod]:
    """The quantiser with the ranges under which everything in int8 is nearest to the float model."""
    model = Equalization(batches, strength=0.5)(model).model
    ir = to_ir(model)
    nodes = {str(node.name): node for node in ir.graph}
    units = {unit.name: unit for unit in find_units(ir, target.operators | WEIGHTED)}
    seen = observe(ir, units.values(), batches)
    weighted = [unit.name for unit in units.values() if unit.channels is not None]
    weights = {
        name: quantize_weights(
            nodes[name],
            seen.inputs[name],
            pair_limit=target.pair_limit,
            per_channel=nodes[name].op_type not in target.per_tensor,
        )
        for name in weighted
    }
    storage = {
        name: quantize_weights(nodes[name], seen.inputs[name], pair_limit=None)
        for name in weighted
        if weights[name].values.size >= _FEWEST_STORED
    }
    quantizer = Quantizer(ir, units, target, {}, weights, storage, _wide_ranges(seen, units.values(), ir))
    everything = Plan(frozenset(unit.name for unit in units.values() if _is_computable(unit, target)))
    if not everything.computed:
        return quantizer, RangeMethod.MINMAX
    with open_model(model) as reference:
        judge = OutputQuality(reference, _few(batches))
    best: tuple[Quantizer, RangeMethod, float] | None = None
    for method in RangeMethod:
        candidate = replace(quantizer, ranges=_ranges(seen, method))
        with open_model(candidate(everything)) as engine:
            loss = judge(engine).loss
        _log.debug("ranges by %s: SQNR %.2f dB", method, -loss)
        if best is None or loss < best[2]:
            best = candidate, method, loss
    assert best is not None
    return best[:2]


def _ranges(seen: Observations, method: RangeMethod) -> dict[str, tuple[float, float]]:
    return {name: choose_range(histogram, method) for name, histogram in seen.histograms.items()}


def _wide_ranges(seen: Observations, units: Iterable[Unit], model: onnx_ir.Model) -> dict[str, tuple[float, float]]:
    """With headroom, but not past what a Clip lets through.

    Only where the range says the same as the Clip, engines leave it out and fuse the pair with what comes before it.
    """
    extremes = _ranges(seen, RangeMethod.MINMAX)
    ranges = {name: (_HEADROOM * low, _HEADROOM * high) for name, (low, high) in extremes.items()}
    nodes = {str(node.name): node for node in model.graph}
    for unit in units:
        last = nodes[unit.nodes[-1]]
        most = constant_input(last, 2) if last.op_type == "Clip" else None
        if most is not None:
            low, high = ranges[unit.output]
            ranges[unit.output] = low, min(high, _JUST_BELOW * float(most))
    return ranges


def _portions(batches: Sequence[Batch], size: int) -> list[Batch]:
    """As whole batches of the size that the model is fixed to, filled up with the first samples again."""
    portions: list[Batch] = []
    for batch in batches:
        count = len(batch[0])
        places = np.arange(-(-count // size) * size).reshape(-1, size) % count
        portions += [[array[place] for array in batch] for place in places]
    return portions


def _few(batches: Sequence[Batch]) -> Batch:
    """Some samples of equal size."""
    size = batches[0][0].shape[1:]
    alike = [batch for batch in batches if batch[0].shape[1:] == size]
    joined = [np.concatenate(arrays) for arrays in zip(*alike, strict=True)]
    step = max(1, len(joined[0]) // _RANKING_SAMPLES)
    return [array[::step][:_RANKING_SAMPLES] for array in joined]


def _is_computable(unit: Unit, target: Target) -> bool:
    wide = unit.channels is None or min(unit.channels) >= target.least_channels
    return unit.operator in target.operators and wide


def _made(plan: Plan, quantizer: Quantizer, fast: onnx.ModelProto) -> onnx.ModelProto:
    return quantizer(plan) if plan.computed or plan.stored else fast


def _noise(
    quantizer: Quantizer,
    units: Sequence[Unit],
    batches: Sequence[Batch],
    open_model: Opener,
    deadline: float,
    most: float,
) -> dict[str, float]:
    """Of each unit, the noise relative to the signal where it alone is int8; what is not reached counts as the mean."""
    sample = _few(batches)
    end = min(deadline, time.monotonic() + most)
    with open_model(to_proto(quantizer.model)) as reference:
        judge = OutputQuality(reference, sample)
    noise: dict[str, float] = {}
    for unit in units:
        if time.monotonic() > end:
            break
        with open_model(quantizer(Plan(frozenset([unit.name])))) as engine:
            noise[unit.name] = 10 ** (judge(engine).loss / 10)
    usual = float(np.mean(list(noise.values()))) if noise else 1.0
    return {unit.name: noise.get(unit.name, usual) for unit in units}


def _nodes(
    quantizer: Quantizer, plan: Plan, choice: Choice, noise: Mapping[str, float], target: Target
) -> tuple[NodePrecision, ...]:
    fused = {name: unit for unit in quantizer.units.values() for name in unit.nodes}
    rows = []
    for node in quantizer.model.graph:
        name = str(node.name)
        unit = fused.get(name)
        precision = OperatorPrecision.FLOAT
        if unit is None:
            why = "no int8 kernel, or it only moves values"
        elif unit.name in plan.computed:
            wide = unit.name in plan.wide
            precision = OperatorPrecision.INT8_WIDE if wide else OperatorPrecision.INT8
            why = choice.reasons.get(unit.name, "pays within the budget")
            if name != unit.name:
                why = f"fused into {unit.name}"
        elif not _is_computable(unit, target):
            why = f"no int8 kernel on {target.name}"
        else:
            why = choice.reasons.get(unit.name, "the float form is faster as a whole")
        if name in plan.stored:
            precision = OperatorPrecision.STORED
        power = noise.get(name)
        rows.append(
            NodePrecision(
                name=name,
                operator=node.op_type,
                precision=precision,
                why=why,
                sqnr_db=None if not power else round(-10 * float(np.log10(power)), 2),
            )
        )
    return tuple(rows)


def _key(model: onnx.ModelProto, settings: QuantizationSettings, format: ModelFormat, material: CalibrationData) -> str:
    digest = hashlib.sha256(model.SerializeToString(deterministic=True))
    digest.update(f"{format} {settings!r}".encode())
    for batch in material.batches:
        for array in batch:
            digest.update(array.tobytes())
    return digest.hexdigest()
