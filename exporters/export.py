"""Checkpoint in, one self-describing model file out, proven to compute the same."""

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import onnx

from edgevision.core.atomic_files import atomic_folder, translated_write_errors
from edgevision.core.errors import (
    CompilationError,
    DeviceError,
    EdgevisionError,
    InputError,
    ModelFileError,
    ParityError,
)
from edgevision.core.lazy_objects import load_object
from edgevision.core.printable import one_line
from edgevision.data.datasets import ClassFolders
from edgevision.exporters.engine_process import OutOfTimeError, engine_process
from edgevision.exporters.format_writers import WRITERS
from edgevision.exporters.kept_candidates import keep_candidates
from edgevision.exporters.model_writing import ModelOpener, write_model
from edgevision.exporters.output_files import check_output_files, output_file, search_log
from edgevision.exporters.parity import compare_engines
from edgevision.exporters.passes.denormal_weights import DenormalWeights
from edgevision.exporters.passes.transposed_convolutions import TransposedConvolutions
from edgevision.exporters.quantization.calibration import check_calibration, check_judge_by, collect_calibration_data
from edgevision.exporters.quantization.engine_settings import ONLY_ENGINES, ONNX_RUNTIME, find_engine_settings
from edgevision.exporters.quantization.forms import GivenModel
from edgevision.exporters.quantization.inspection import Inspection, inspect
from edgevision.exporters.quantization.npu_compiler import check_compiles
from edgevision.exporters.quantization.page import write_page
from edgevision.exporters.quantization.quantize import check_float, quantize
from edgevision.exporters.quantization.quantized import Quantized, untried
from edgevision.exporters.quantization.report import KeptCandidate, QuantizationReport
from edgevision.exporters.quantization.settings import QuantizationSettings
from edgevision.exporters.quantization.targets import find_target, for_format, is_this_machine
from edgevision.exporters.quantization.time_budget import Show, Stage, TimeBudget
from edgevision.exporters.quantization.verdict import DISTURBED, RETIME_ADVICE
from edgevision.exporters.report import ExportReport
from edgevision.exporters.samples import data_batches, seeded_batches
from edgevision.exporters.sources.input_shapes import with_static_shape
from edgevision.exporters.sources.network_part import NetworkPart
from edgevision.exporters.sources.reading import read_source_model
from edgevision.exporters.sources.source_model import SourceModel
from edgevision.exporters.spread_judging import SpreadJudging
from edgevision.exporters.written_metadata import written_metadata
from edgevision.modelfiles.metadata import ModelMetadata, Precision
from edgevision.modelfiles.model_facts import read_facts
from edgevision.modelfiles.model_file import ModelFormat, report_path
from edgevision.modelfiles.model_references import is_reference, library_reference, local_file
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.samples import Batch

_log = logging.getLogger(__name__)

_SAMPLES = 64


def export(
    checkpoint: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    format: ModelFormat | str = ModelFormat.ONNX,
    precision: Precision | str = Precision.FP32,
    part: NetworkPart | str = NetworkPart.BOTH,
    arch: str | None = None,
    arch_options: Mapping[str, Any] | None = None,
    weights: str | None = None,
    input_shape: tuple[int, ...] | None = None,
    static: tuple[int, ...] | None = None,
    metadata: Mapping[str, Any] | None = None,
    data: str | os.PathLike[str] | None = None,
    trust_pickle: bool = False,
    force: bool = False,
    int8: QuantizationSettings | None = None,
    html: str | os.PathLike[str] | None = None,
    show: Show = lambda *_: None,
    spent: float = 0.0,
    seed: int = 0,
) -> ExportReport:
    """Convert a PyTorch checkpoint to a model of ``format`` and compare the result with the original.

    Args:
        checkpoint: a ``.pt`` of this project, anything :func:`read_checkpoint` reads together with ``arch``, or an
            ``.onnx`` model; or the address of one, see :mod:`edgevision.modelfiles.model_references`; or the network of
            a library, ``timm:NAME`` or ``torchvision:NAME``.
        output: the model file; by default beside the checkpoint, ending as ``format`` does, and in the current folder
            where that was downloaded.
        precision: ``fp32``, ``fp16`` (weights and arithmetic in half precision, inputs and outputs stay float32), or
            ``int8``: the fastest form within the quality budget, see :mod:`edgevision.exporters.quantization`. The
            metadata of what is written say which one it is: ``int8``, ``int8-weights``, ``fp16`` or ``fp32``.
        part: ``encoder`` or ``decoder`` of a variational autoencoder, a residual classifier with its ``features``
            as a second output, or a network over frames as a ``stream`` of single ones.
        arch, arch_options: the network of a foreign checkpoint, as ``package.module:callable`` and its keywords.
        weights: where they lie in a checkpoint that holds several, keys joined by dots; by default averages over
            training are preferred, and of several others none is.
        input_shape: (batch, channels, height, width), or (batch, size) for a latent; needed for a foreign checkpoint.
        static: the only shape the model is to take, batch first; NPUs and captured CUDA graphs need that.
        metadata: fields of :class:`ModelMetadata` as in its JSON, over what the checkpoint says.
        data: a folder or zip of pictures to compare on; without it a seeded sampler is used (see ``samples.py``).
        force: overwrite an existing output.
        int8: how to quantise. An interrupted search leaves ``NAME.search.jsonl``, and the same call goes on from there.
            With ``keep_candidates`` the forms that were compared lie in ``NAME.candidates/`` in the end.
        html: with ``int8``, a page that shows the verdict, and layer by layer what int8 costs and saves.
        show: told now and then how far a quantisation is, see :mod:`.time_budget`.
        spent: seconds of the quantisation's ``time_budget`` that are gone already.
        seed: of the sampler.

    Returns:
        The report, which is also written beside the model, as :func:`~edgevision.modelfiles.model_file.report_path`.

    Raises:
        CheckpointError, InputError, DatasetError: something given cannot be used.
        OutputError, DiskFullError: the output cannot be written.
        CompilationError: the compiler of the NPU that it is for refuses the model, and is installed here.
        ParityError: the converted model computes something else. It is not kept, only its report is; an earlier model
            at ``output`` stays as it was.
    """
    start = time.monotonic()
    format, precision = ModelFormat(format), Precision(precision)
    writer = WRITERS.get(format)
    if writer is None:
        raise ValueError(f"export writes {', '.join(WRITERS)}, not {format}")
    if precision is Precision.INT8_WEIGHTS:
        raise ValueError("weight-only int8 is what comes of precision='int8' where its arithmetic does not pay")
    if precision not in writer.precisions:
        raise InputError(f"{format} models are written in {' or '.join(writer.precisions)}, not in {precision}")
    path = beside = Path(checkpoint)
    if is_reference(checkpoint):
        path = local_file(checkpoint)
        beside = Path(path.name)
    elif (library := library_reference(checkpoint)) is not None:
        beside = Path(library.name.partition("@")[0].rpartition("/")[2])
    target = output_file(beside, None if output is None else Path(output), format, precision)
    settings = int8 or QuantizationSettings()
    int8_asked = precision is Precision.INT8
    check_output_files(target, format, int8=int8_asked, keep_candidates=settings.keep_candidates, force=force)
    if int8_asked:
        for_format(find_target(settings.target), format)  # where they do not go together
    if writer.check_installed is not None:
        load_object(writer.check_installed)()  # where it is missing, before the time that a conversion takes
    time_budget = settings.begin(show, inspected=html is not None, spent=spent)
    needs_static = writer.static or (int8_asked and find_target(settings.target).static_shapes)

    with _over_when_read(settings), time_budget.enforced(0.5) if int8_asked else nullcontext():
        source = read_source_model(
            path,
            part=NetworkPart(part),
            arch=arch,
            arch_options=arch_options,
            weights=weights,
            input_shape=input_shape,
            metadata=metadata or {},
            trust_pickle=trust_pickle,
            seed=seed,
            check=lambda metadata: _check_data(metadata, settings) if int8_asked else None,
        )
        if static is not None or needs_static:
            source = with_static_shape(source, static, seed=seed)
    folder = find_task(source.metadata.task).open_data(data) if data is not None and not settings.judge_by else None
    examples = [example.numpy() for example in source.examples]
    plain = source.conversion.model
    flushed = DenormalWeights(examples)(plain)
    source = replace(source, conversion=replace(source.conversion, model=flushed.model))
    described, conversion = source.metadata.updated(precision=precision), source.conversion
    model, notes = conversion.model, source.notes + conversion.notes + flushed.notes
    if writer.static:
        # Their engines compute in int8 with integers of their own, if at all.
        check_float(model)
    quantized: Quantized | None = None
    inspection: Inspection | None = None
    if precision is Precision.INT8:
        seconds = time_budget.seconds_before_writing if settings.time_budget is not None else None
        with (
            translated_write_errors(target),
            _over_when_read(settings),
            time_budget.enforced(0),
            engine_process().within(seconds),
        ):
            given = plain if source.given is None or writer.static else _in_order(source.given, plain)
            quantized, inspection = _quantized(
                source, given, format, settings, search_log(target), time_budget, inspected=html is not None
            )
        model = quantized.written.model
        best = quantized.written
        described = written_metadata(described, best.outcome, best.settings, best.speedup, quantized.report)
    elif format is ModelFormat.ONNX and precision is Precision.FP32:
        # OpenVINO has its own forms, and half precision was not timed.
        faster = TransposedConvolutions(examples)(model)
        model, notes = faster.model, notes + faster.notes
    report_of_int8 = quantized.report if quantized is not None else None
    if int8_asked:
        time_budget.begin(Stage.WRITING)
    if quantized is not None and settings.keep_candidates:
        report_of_int8 = _kept(quantized, source.metadata, target, format, force=force)
    disturbed = report_of_int8 is not None and any(note.startswith(DISTURBED) for note in report_of_int8.notes)
    if report_of_int8 is not None and disturbed and format is ModelFormat.ONNX:  # --retime writes no others
        if report_of_int8.candidates:
            advice = f"{RETIME_ADVICE}: edgevision export {target.name} --retime"
        else:
            advice = "what an export with --keep-candidates tries can be timed again on a quieter machine (--retime)"
        report_of_int8 = report_of_int8.updated(notes=(*report_of_int8.notes, advice))
    failure: CompilationError | ParityError | None = None
    # A report that an export left which failed is no reason for --force.
    with atomic_folder(target, force=force, replaced=(report_path(target).name,)) as temporary:
        file = temporary / target.name
        write_model(model, file, format, described)
        with source.reference() as reference, _opened(file, model, format, described) as engine:
            batches, sample_source = _samples(folder, described, source.shape, seed, reference)
            if quantized is not None:
                # Its ranges hold for inputs like those they were found with, not for the sampler's.
                promised = settings.time_budget is not None
                batches = _in_time(quantized.samples, time_budget) if promised else [quantized.samples]
                sample_source = f"of {quantized.report.source}"
            elif conversion.picture_sizes is not None and {"height", "width"} & set(conversion.dynamic):
                # That other sizes are accepted is a promise too.
                other = (source.shape[0], *conversion.picture_sizes.larger())
                batches = chain(batches, seeded_batches(described, other, _SAMPLES // 8, seed))
                sample_source += f", and {_SAMPLES // 8} of {other[1]}x{other[2]} from the seeded sampler"
            elif "time" in conversion.dynamic:
                longer = (2 * source.shape[0] + 1, *source.shape[1:])
                batches = chain(batches, seeded_batches(described, longer, _SAMPLES // 8, seed))
                sample_source += f", and {_SAMPLES // 8} of {longer[0]} frames from the seeded sampler"
            predictions = partial(find_task(described.task).predictions, metadata=described)
            parity = compare_engines(reference, engine, batches, source=sample_source, predictions=predictions)
        facts = read_facts(file)
        report = ExportReport(
            model=target.name,
            checkpoint=path.name,
            verdict="good",
            format=format,
            precision=described.precision,
            exporter=conversion.exporter,
            dynamic=conversion.dynamic,
            notes=notes,
            parity=parity,
            quantization=report_of_int8,
            metadata=described,
            seconds=round(time.monotonic() - start, 3),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            sha256=facts.sha256,
            size_bytes=facts.size_bytes,
            operators=facts.operators,
        )
        try:
            if quantized is None:
                parity.check(precision)
            else:
                check_compiles(model, find_target(settings.target))
        except (CompilationError, ParityError) as error:
            failure = error
            report = report.updated(verdict="failed", reason=str(error), sha256=None, size_bytes=None)
            for written in temporary.iterdir():
                written.unlink()
        report.write(temporary / report_path(target).name)
    search_log(target).unlink(missing_ok=True)
    if html is not None and quantized is not None:
        write_page(Path(html), target.name, quantized.report, inspection, force=force)
    if failure is not None:
        raise failure
    return report


def _kept(
    quantized: Quantized, metadata: ModelMetadata, target: Path, format: ModelFormat, *, force: bool
) -> QuantizationReport:
    """The report with the candidates, which are kept beside the model."""
    candidates = {
        name: (one, written_metadata(metadata, one.outcome, one.settings, one.speedup, quantized.report))
        for name, one in quantized.candidates.items()
    }
    hashes = keep_candidates(
        {name: (one.model, described) for name, (one, described) in candidates.items()},
        quantized.feeds,
        target,
        format,
        force=force,
    )
    return quantized.report.updated(
        candidates=tuple(
            KeptCandidate(
                name=name, file=file, sha256=sha256, outcome=candidates[name][0].outcome, nodes=quantized.nodes[name]
            )
            for name, (file, sha256) in hashes.items()
        )
    )


def _check_data(metadata: ModelMetadata, settings: QuantizationSettings) -> None:
    """:class:`InputError` where int8 lacks what it needs, before anything is done for long."""
    check_calibration(metadata, settings.calibration)
    check_judge_by(metadata, settings.judge_by, settings.data)


def _opened(file: Path, model: onnx.ModelProto, format: ModelFormat, metadata: ModelMetadata) -> Engine:
    """The engine of a model in the making, whose path is nothing to the user.

    Raises:
        InputError: it cannot run what the network uses.
    """
    simulator = WRITERS[format].simulator
    try:
        return load_object(simulator)(model, metadata) if simulator else open_engine(file)
    except (DeviceError, ModelFileError) as error:
        types = {onnx.TensorProto.BFLOAT16: "bfloat16", onnx.TensorProto.DOUBLE: "float64"}
        found = " and ".join(name for kind, name in types.items() if kind in _types(model))
        computed = f"; the network computes in {found}, which few engines do" if found else ""
        reason = str(error).replace(str(file), file.name).splitlines()[0]
        raise InputError(f"the model that the network became cannot be run: {reason}{computed}") from error


@contextmanager
def _over_when_read(settings: QuantizationSettings) -> Iterator[None]:
    """What is left of an error for want of time: not even the float model could be read and run."""
    try:
        yield
    except OutOfTimeError as error:
        raise InputError(
            f"--budget {settings.time_budget} is too little to read the model, run it and write it: give more, or"
            " export without --int8"
        ) from error


def _in_time(samples: Batch, time_budget: TimeBudget) -> Iterator[Batch]:
    """The ``samples`` one by one, the first and as many more as there is time for."""
    for place in range(len(samples[0])):
        if place and time_budget.late():
            return
        yield [array[place : place + 1] for array in samples]


def _types(model: onnx.ModelProto) -> set[int]:
    """The types of constants and casts."""
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    casts = {attribute.i for attribute in attributes if attribute.name == "to"}
    return casts | {value.data_type for value in model.graph.initializer}


def _samples(
    folder: ClassFolders | None, metadata: ModelMetadata, shape: tuple[int, ...], seed: int, reference: Engine
) -> tuple[Iterable[Batch], str]:
    """What to compare on, and its name for the report."""
    if folder is not None and metadata.image is not None:
        return data_batches(folder, metadata, _SAMPLES, reference), f"{folder.path.name} {folder.split}".strip()
    return seeded_batches(metadata, shape, _SAMPLES, seed), f"seeded sampler, seed {seed}"


def _in_order(given: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """``given`` with its outputs in the order of those of ``model``, and with their shapes where it says none."""
    outputs = {value.name: value for value in given.graph.output}
    ordered = [
        outputs[value.name] if outputs[value.name].type.tensor_type.HasField("shape") else value
        for value in model.graph.output
    ]
    del given.graph.output[:]
    given.graph.output.extend(ordered)
    return given


def _quantized(
    source: SourceModel,
    given: onnx.ModelProto,
    format: ModelFormat,
    settings: QuantizationSettings,
    log: Path,
    time_budget: TimeBudget,
    *,
    inspected: bool,
) -> tuple[Quantized, Inspection | None]:
    model, metadata = source.conversion.model, source.metadata.updated(target=find_target(settings.target).name)
    check_float(model)
    target = find_target(settings.target)
    measured = is_this_machine(target) and not target.npu
    engines = find_engine_settings(settings.engine, format, measured=measured)
    simulated = WRITERS[format].simulator is not None
    plainest = ONLY_ENGINES.get(format, ONNX_RUNTIME)
    with (
        ModelOpener(format, metadata, settings.threads) as open_model,
        ModelOpener(ModelFormat.ONNX, metadata, settings.threads) as open_onnx,
        open_onnx(model, ONNX_RUNTIME) if simulated else open_model(model, plainest) as reference,
        _spread_judging(format, metadata, settings) as spread,
    ):
        time_budget.begin(Stage.READING)
        if time_budget.late() and settings.time_budget is not None:
            raise OutOfTimeError("there is no time left to read the data")
        data = collect_calibration_data(
            metadata,
            source.shape,
            reference,
            calibration=settings.calibration,
            data=settings.data,
            evaluation=settings.evaluation,
            amount=settings.effort.amount,
            seed=settings.seed,
            judge_by=settings.judge_by,
        )
        cleaned = (given.graph, list(given.opset_import)) != (model.graph, list(model.opset_import))
        row = GivenModel(given if cleaned else model, partial(open_model.untouched, settings=plainest), plainest)
        openers = {one: partial(open_model, settings=one) for one in engines}
        analysed = partial(open_onnx, settings=ONNX_RUNTIME) if WRITERS[format].slow else openers[engines[0]]
        # ONNX Runtime by itself does not look for denormal numbers, which takes some microseconds.
        given_row = row if cleaned or plainest == ONNX_RUNTIME or engines[0] != plainest else None
        try:
            # What it leaves suffices for the float model.
            with time_budget.enforced(0.75):
                quantized = quantize(
                    model,
                    reference,
                    data,
                    openers,
                    analysed,
                    settings,
                    given=given_row,
                    format=format,
                    log=log,
                    time_budget=time_budget,
                    spread=spread,
                )
        except OutOfTimeError:
            return untried(model, reference, data, engines[0], settings, given_row, time_budget), None
        if not inspected:
            return quantized, None
        time_budget.begin(Stage.INSPECTING)
        try:
            # A page that was asked for is whole unless its time was promised.
            late = time_budget.late if settings.time_budget is not None else lambda: False
            return quantized, inspect(quantized, reference, openers, late)
        except (EdgevisionError, ValueError) as error:  # no reason to lose what the search has found
            _log.warning("the page cannot show the layers: %s", one_line(error))
            return quantized, None


def _spread_judging(
    format: ModelFormat, metadata: ModelMetadata, settings: QuantizationSettings
) -> AbstractContextManager[SpreadJudging | None]:
    """What judges candidates elsewhere, where that is asked for."""
    if settings.ray is None:
        return nullcontext()
    return SpreadJudging(settings.ray, format, metadata, settings.threads)
