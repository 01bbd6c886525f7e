"""``edgevision export --int8``: the float model in, the fastest form within the quality budget out, with its proof."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from edgevision.core.errors import InputError
from edgevision.exporters.engine_process import OutOfTimeError, engine_process
from edgevision.exporters.onnx_to_torch.onnx_module import unknown_operators
from edgevision.exporters.passes.ir import to_ir, to_proto
from edgevision.exporters.quantization.batches import representatives, timed_batches
from edgevision.exporters.quantization.calibrated import calibrated_quantizer
from edgevision.exporters.quantization.calibration import CalibrationData
from edgevision.exporters.quantization.engine_search import EngineSearch
from edgevision.exporters.quantization.engine_settings import ONNX_RUNTIME, EngineSettings
from edgevision.exporters.quantization.finetuning import finetune, timed_steps
from edgevision.exporters.quantization.forms import AS_FOR_INT8_PLAN, Candidates, GivenModel
from edgevision.exporters.quantization.node_precisions import node_precisions
from edgevision.exporters.quantization.node_times import Profile, expected, profile
from edgevision.exporters.quantization.prepared_graphs import prepare_graphs
from edgevision.exporters.quantization.qdq import Plan, Quantizer
from edgevision.exporters.quantization.quantized import Quantized, want_of_time
from edgevision.exporters.quantization.report import QuantizationReport
from edgevision.exporters.quantization.search import Choice, Search
from edgevision.exporters.quantization.sensitivity import noise_of_each
from edgevision.exporters.quantization.settings import QuantizationSettings
from edgevision.exporters.quantization.targets import find_target, for_format, is_this_machine
from edgevision.exporters.quantization.time_budget import Stage, TimeBudget
from edgevision.exporters.quantization.trials import JudgesAhead, Opener, Trials, TrialSetup
from edgevision.exporters.quantization.verdict import MORE_SETS, decide
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.benchmark.timing import Clock
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.quality import QualityMeasure, WithNotes
from edgevision.runtime.tasks.samples import Batch

# Of the time to search: for what each operator costs by itself, where that is asked.
_SHARE_OF_RANKING = 0.4


def quantize(
    model: onnx.ModelProto,
    reference: Engine,
    data: CalibrationData,
    openers: Mapping[EngineSettings, Opener],
    open_model: Opener,
    settings: QuantizationSettings,
    *,
    given: GivenModel | None,
    format: ModelFormat,
    log: Path | None,
    time_budget: TimeBudget,
    spread: JudgesAhead | None = None,
) -> Quantized:
    """Find the form of the float ``model`` that runs fastest on the target within the quality budget.

    Args:
        reference: the engine of ``model``.
        given: what ``model`` was before it was cleaned; ``None`` where there was nothing to clean.
        data: what to calibrate with and to judge by.
        openers: load a candidate as it is to be measured, by what it is run in; the first one the float model, too.
        open_model: loads what is only looked at on the way, as for ranges and the noise of single operators.
        time_budget: what is left of the time; the model was read.
        log: where candidates are noted while the search lasts, so that an interrupted one can go on.
        spread: what judges some candidates at once.

    Raises:
        InputError: the model has nothing to quantise or cannot be finetuned, the data does not fit, or the batch is
            fixed to another than the one to be timed.
        DeviceError: the engine does not run the model.
        OutOfTimeError: the least that has to be measured takes longer than was promised.
    """
    start = time.monotonic()
    target, effort = for_format(find_target(settings.target), format), settings.effort
    fixed, size = _batch_sizes(reference, settings)
    portions = data.portions if fixed is None else data.portions.in_batches_of(fixed)
    timed = timed_batches(data.portions.in_batches_of(size))
    feeds = [{spec.name: array for spec, array in zip(reference.inputs, one, strict=True)} for one in timed]
    measured = is_this_machine(target) and not target.npu
    time_budget.begin(Stage.PREPARING)
    prepared = prepare_graphs(model, timed[0], target, format, time_budget.late)
    if time_budget.cut_short:
        time_budget.left_out.append("faster float forms")
    if settings.finetune and (unknown := unknown_operators(to_ir(prepared.int8_ready))):
        raise InputError(f"--finetune cannot train through {', '.join(unknown)}, which the model holds: leave it out")
    time_budget.begin(Stage.CALIBRATING)
    if settings.time_budget is not None and time_budget.too_slow():
        raise OutOfTimeError("there is no time left to calibrate")
    quantizer, method = calibrated_quantizer(prepared.int8_ready, portions, target, open_model, time_budget)
    batches = portions.batches
    time_budget.begin(Stage.JUDGING)
    measure = data.judge(time_budget)
    budget = _budget(measure, settings.max_drop)
    quantizers: dict[bool, Quantizer] = {False: quantizer}
    units, everything = quantizer.computable, quantizer.everything
    if spread is not None:
        spread.begin(measure)
    clock = Clock.of_inference(settings.threads)
    setup = TrialSetup(openers, measure, reference if measured else None, feeds, effort.timing, spread, clock)
    trials = Trials(
        lambda plan: prepared.fast if plan == Plan() else quantizers[plan.finetuned](plan),
        setup,
        log,
        search_key(model, settings, format, batches, data.source),
    )
    time_budget.begin(Stage.SEARCHING)
    whole = time_budget.seconds_left
    noise: dict[str, float] = {}

    def ranked(names: Sequence[str]) -> Mapping[str, float]:
        if missing := [quantizer.units[name] for name in names if name not in noise]:
            noise.update(noise_of_each(quantizer, missing, batches, open_model, time_budget, _SHARE_OF_RANKING * whole))
        return noise

    def known_of(engine: str) -> Profile:
        if time_budget.late():
            return Profile({}, ())
        if measured and engine == ONNX_RUNTIME.engine:
            return profile(quantizer.model, quantizer(everything), units, feeds[0], settings.threads)
        return expected(quantizer.model, units, feeds[0], settings.threads, target.speedup)

    def search(within: Trials, share: float) -> Choice:
        if not units or time_budget.over():
            return Choice(Plan())
        a16w8 = target.activations_of_16_bits is not None
        known, late = known_of(within.settings.engine), time_budget.late_after(share * whole)
        fine = quantizer.has_fine_inputs
        over = time_budget.over
        return Search(within, units, ranked, known, budget, late, over, a16w8=a16w8, fine_inputs=fine).run()

    with engine_process().within(time_budget.seconds_before_verdict if settings.time_budget else None):
        floats = [Plan(), AS_FOR_INT8_PLAN] if len(openers) > 1 and prepared.differ else [Plan()]
        choices = EngineSearch(trials, everything, floats, budget, search, time_budget.late).run()
    if units and time_budget.cut_short:
        time_budget.left_out.append(MORE_SETS)
    first = next(iter(choices.values()))
    finetuned: Plan | None = None
    notes: tuple[str, ...] = measure.notes if isinstance(measure, WithNotes) else ()
    if settings.finetune and trials.quality(first.fastest, "what pays").proof(budget) is None:
        time_budget.begin(Stage.FINETUNING)
        steps = timed_steps(effort.training, time_budget)
        quantizers[True] = finetune(quantizer, first.fastest, batches, steps=steps, seed=settings.seed)
        finetuned, note = _finetuned(first.fastest, trials)
        notes += (note,)
    if any(choice.plan.fine_inputs for choice in choices.values()):
        notes += ("int8 takes what the network is given in two parts of 8 bits, as one of them loses too much",)
    time_budget.begin(Stage.DECIDING)
    verdict = decide(
        Candidates(
            given,
            model,
            prepared.fast,
            everything,
            {settings: choice.plan for settings, choice in choices.items()},
            quantizer.weight_only_sizes if target.weight_only else {},
            finetuned,
            quantizer(AS_FOR_INT8_PLAN) if AS_FOR_INT8_PLAN in floats else None,
        ),
        trials,
        setup,
        target,
        budget=budget,
        seconds=3 * effort.timing,
        time_budget=time_budget,
        prefer=settings.prefer,
        format=format,
    )
    report = QuantizationReport(
        outcome=verdict.written.outcome,
        verdict=f"in batches of {size}, {verdict.reason}" if measured and size > 1 else verdict.reason,
        target=target.name,
        measured=measured,
        expected_speedup=None if measured else target.speedup,
        metric=measure.metric,
        unit=measure.unit,
        budget=budget,
        source=data.source,
        ranges=method.value,
        forms=verdict.forms,
        trials=trials.all,
        nodes=node_precisions(quantizer, verdict.plan, choices.get(verdict.written.settings, first), noise),
        notes=data.notes + prepared.notes + notes + trials.crashes + verdict.notes + want_of_time(time_budget),
        threads=settings.threads,
        clock=clock,
        batch=size,
        timed_shapes=tuple(array.shape for array in timed[0]) if measured else (),
        prefer=settings.prefer,
        seconds=round(time.monotonic() - start, 1),
    ).with_caveat()
    nodes = {
        name: node_precisions(quantizer, one.plan, choices.get(one.settings, first), noise)
        for name, one in verdict.candidates.items()
    }
    return Quantized(
        written=verdict.written,
        float_model=to_proto(quantizer.model),
        report=report,
        measure=measure,
        samples=representatives(batches),
        candidates=verdict.candidates,
        nodes=nodes,
        feeds=feeds,
    )


def _finetuned(plan: Plan, trials: Trials) -> tuple[Plan | None, str]:
    """The trained form of ``plan`` where it loses less, and a note on what the training was good for."""
    trained = replace(plan, finetuned=True)
    before, after = trials.quality(plan, "what pays").loss, trials.quality(trained, "what pays, finetuned").loss
    better = after < before
    note = f"finetuning for {len(plan.int8)} operators in int8: the loss was {before:.3g} before it, {after:.3g} after"
    return trained if better else None, note if better else f"{note}, and it is left out"


def check_float(model: onnx.ModelProto) -> None:
    """:class:`InputError` where ``model`` is quantised already."""
    operators = {node.op_type for node in model.graph.node}
    quantized = sorted(
        operators & {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger"}
    )
    if quantized:
        raise InputError(f"the model is quantised already (it holds {', '.join(quantized)}): export the float model")


def _batch_sizes(reference: Engine, settings: QuantizationSettings) -> tuple[int | None, int]:
    """What the model's batch is fixed to, if it is, and how many inputs are timed in a run."""
    batch = reference.inputs[0].shape[0]
    if not isinstance(batch, int):
        return None, settings.batch or 1
    if settings.batch not in (None, batch):
        raise InputError(
            f"--batch {settings.batch!r} cannot be timed: the model takes batches of {batch} and no others"
        )
    return batch, batch


def _budget(measure: QualityMeasure, max_drop: float | None) -> float:
    if max_drop is None:
        return measure.budget
    # Where the loss is a negative SQNR, what is asked is at least so much of it.
    return -abs(max_drop) if measure.budget < 0 else max_drop


def search_key(
    model: onnx.ModelProto, settings: QuantizationSettings, format: ModelFormat, batches: Sequence[Batch], source: str
) -> str:
    """What tells one search from another; ``source`` says on how many pictures forms are judged."""
    digest = hashlib.sha256(model.SerializeToString(deterministic=True))
    digest.update(
        f"{format} {replace(settings, keep_candidates=False, time_budget=None, ray=None)!r} {source}".encode()
    )
    for batch in batches:
        for array in batch:
            digest.update(array.tobytes())
    return digest.hexdigest()
