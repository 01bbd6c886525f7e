"""``edgevision export MODEL --retime``: the candidates of a verdict timed again, and the best of them written."""

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import onnx

from edgevision.core.atomic_files import atomic_folder, translated_write_errors
from edgevision.core.errors import InputError
from edgevision.core.regular_files import read_regular
from edgevision.exporters.kept_candidates import kept_feeds
from edgevision.exporters.output_files import candidates_folder
from edgevision.exporters.passes.cleanup import add_metadata
from edgevision.exporters.quantization.engine_settings import find_engine_settings
from edgevision.exporters.quantization.options import EngineChoice
from edgevision.exporters.quantization.report import AS_GIVEN, Form, QuantizationReport
from edgevision.exporters.quantization.selection import Candidate, Selector
from edgevision.exporters.quantization.targets import find_target, is_this_machine
from edgevision.exporters.quantization.trials import Timer, inference_timer
from edgevision.exporters.quantization.verdict import DISTURBED, RETIME_ADVICE, disturbances
from edgevision.exporters.quantization.verdict_words import reason
from edgevision.exporters.report import ExportReport, read_report
from edgevision.exporters.written_metadata import written_metadata
from edgevision.modelfiles.measured_engine import InferencePrecision
from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata
from edgevision.modelfiles.model_facts import read_facts
from edgevision.modelfiles.model_file import ModelFormat, report_path
from edgevision.runtime.benchmark.timing import Clock
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.telemetry.sampler import Telemetry

# Of timing for each row, and how many times as long where that shows nothing.
_SECONDS = 6.0
_LONGER = 6


def retime(model: Path, *, seconds: float = _SECONDS) -> ExportReport:
    """Time what ``export --int8 --keep-candidates`` has kept of ``model`` again and write the best row over it.

    Nothing is calibrated, searched or judged: what each row loses is known from the report, which is written anew.

    Args:
        seconds: of timing for each row.

    Raises:
        InputError: nothing was kept, it is not what the report is about, or it was made for another machine.
        OutputError, DiskFullError: what was found cannot be written; then everything is as it was.
    """
    report = read_report(model)
    quantization = _checked(model, report)
    kept = {one.name: one for one in quantization.candidates}
    files = {name: _content(candidates_folder(model) / one.file, one.sha256) for name, one in kept.items()}
    known = {one.title: one for one in find_engine_settings(EngineChoice.ANY, report.format, measured=True)}
    rows = {form.label: form for form in quantization.forms if form.name in kept and form.engine in known}
    left_out = [form.label for form in quantization.forms if form.label not in rows]
    if not rows:
        raise InputError(f"no engine that {model.name!r} was measured in is installed here")
    judged = [Candidate.judged(f.name, kept[f.name].outcome, f, known[f.engine]) for label, f in rows.items()]
    feeds = kept_feeds(model, report.metadata.inputs)
    with ExitStack() as stack:
        engines = {}
        for label, form in rows.items():
            engines[label] = stack.enter_context(
                open_engine(
                    candidates_folder(model) / kept[form.name].file,
                    known[form.engine].device,
                    threads=quantization.threads,
                    inference_precision=known[form.engine].inference_precision,
                    # As others open it.
                    flush_denormals=form.name != AS_GIVEN,
                )
            )
        clock = Clock.of_inference(quantization.threads)
        timer = inference_timer(engines, feeds, (known[form.engine] for form in rows.values()), clock)
        selector = Selector(judged, timer.speedup, quantization.budget, quantization.prefer)
        with Telemetry() as telemetry:
            timer.measure(seconds * len(rows))
            if selector.undecided():
                timer.measure(_LONGER * seconds * len(rows))
        selection, first = selector.select(), judged[0].name
    notes = [note for note in quantization.notes if not note.startswith((DISTURBED, RETIME_ADVICE))]
    if left_out:
        notes.append(f"not timed again, as they were not kept or cannot be run here: {', '.join(left_out)}")
    disturbed = disturbances(telemetry.report().findings)
    if disturbed:
        notes += [*disturbed, f"{RETIME_ADVICE}: edgevision export {model.name} --retime"]
    chosen = rows[selection.written.name]
    found = (
        _with_times(quantization, rows, timer, first, chosen)
        .updated(
            outcome=kept[chosen.name].outcome,
            verdict=f"timed again, {reason(selection, first, timer.speedup, quantization.prefer)}",
            nodes=kept[chosen.name].nodes,
            notes=tuple(notes),
            clock=clock,
        )
        .with_caveat()
    )
    elsewhere = [
        label
        for label, form in rows.items()
        if form.name == chosen.name
        and known[form.engine].engine != known[chosen.engine].engine
        and known[form.engine].inference_precision is InferencePrecision.FP32
    ]
    gain = timer.speedup(selection.written.name, elsewhere[0]).ratio if elsewhere else None
    described = written_metadata(report.metadata, kept[chosen.name].outcome, known[chosen.engine], gain, found)
    return _written(model, report, found, described, files[chosen.name])


def _with_times(
    quantization: QuantizationReport,
    rows: Mapping[str, Form],
    timer: Timer,
    first: str,
    chosen: Form,
) -> QuantizationReport:
    """With the rows that were timed, as they were timed."""
    forms = tuple(
        form.updated(
            speedup=None if label == first else timer.speedup(label, first),
            latency_ms=timer.latency(label),
            written=form is chosen,
        )
        for label, form in rows.items()
    )
    return quantization.updated(forms=forms)


def _checked(model: Path, report: ExportReport) -> QuantizationReport:
    quantization = report.quantization
    if quantization is None or not quantization.candidates or not candidates_folder(model).is_dir():
        raise InputError(
            f"nothing is kept of {model.name!r} that could be timed again: export it with --int8 --keep-candidates"
        )
    if report.format is not ModelFormat.ONNX:
        raise InputError(f"--retime writes ONNX models, and {model.name!r} is {report.format}: export it again")
    if read_facts(model).sha256 != report.sha256:
        raise InputError(f"{model.name!r} is not the model that {report_path(model).name!r} is about: export it again")
    target = find_target(quantization.target)
    if not quantization.measured or not is_this_machine(target):
        raise InputError(f"{model.name!r} is for {target.name}, which is not this machine: time it there")
    return quantization


def _content(file: Path, sha256: str) -> bytes:
    try:
        content = read_regular(file)
    except OSError as error:
        raise InputError(f"the candidate {str(file)!r} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{str(file)!r} is not the candidate that was judged: export the model again")
    return content


def _written(
    model: Path, report: ExportReport, found: QuantizationReport, described: ModelMetadata, content: bytes
) -> ExportReport:
    graph = onnx.load_model_from_string(content)
    add_metadata(graph, METADATA_KEY, described.to_json())
    with (
        translated_write_errors(model),
        atomic_folder(model, force=True, replaced=(report_path(model).name,)) as temporary,
    ):
        file = temporary / model.name
        file.write_bytes(graph.SerializeToString())
        facts = read_facts(file)
        report = report.updated(
            quantization=found,
            metadata=described,
            precision=described.precision,
            sha256=facts.sha256,
            size_bytes=facts.size_bytes,
            operators=facts.operators,
        )
        report.write(temporary / report_path(model).name)
    return report
