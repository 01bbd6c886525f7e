"""A look at one int8 form beside the float model it was made from, for the page that says why it is as it is."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import onnx

from edgevision.exporters.comparison.layer_differences import LayerComparison, compare_layers
from edgevision.exporters.comparison.layer_figures import LayerTime
from edgevision.exporters.comparison.layer_graph import Layer, LayerGraph
from edgevision.exporters.comparison.onnx_layers import OnnxLayers
from edgevision.exporters.quantization.engine_settings import ONNX_RUNTIME, EngineSettings
from edgevision.exporters.quantization.node_times import kernel_times, longest_beginning
from edgevision.exporters.quantization.quantized import Quantized
from edgevision.exporters.quantization.report import Outcome
from edgevision.exporters.quantization.trials import Opener
from edgevision.exporters.quantization.verdict import Written
from edgevision.exporters.samples import in_portions
from edgevision.runtime.engines.engine import Array, Engine
from edgevision.runtime.tasks.quality import Example, WithExamples

# As many inputs show how layers differ.
_SAMPLES = 8


@dataclass(frozen=True)
class Inspection:
    """What was seen of the ``form`` of that name.

    Attributes:
        graph: its layers, which ``layers`` compares with those of the float model.
        times: of each layer by its name; empty where the target is not at hand.
        examples: what the float model and the form make of the same inputs.
        left_out: what there was no time for, in words for people.
    """

    form: str
    graph: LayerGraph
    layers: LayerComparison
    times: Mapping[str, LayerTime]
    examples: Sequence[tuple[Example, Example]]
    left_out: Sequence[str] = ()


def inspect(
    quantized: Quantized, reference: Engine, openers: Mapping[EngineSettings, Opener], late: Callable[[], bool]
) -> Inspection:
    """Look at the form that was written, or where that computes in float at the int8 form that was not.

    Layers are compared in ONNX Runtime, whatever the form is fastest in; times are of that engine too, and told where
    the form was measured in it.

    Args:
        reference: the engine of the float model.
        openers: load a form as it was measured, by what it is run in.
        late: whether there is no time for more than what was looked at so far.
    """
    name, form = _form(quantized)
    report = quantized.report
    plain, graph = OnnxLayers(quantized.float_model, report.target), OnnxLayers(form.model, report.target)
    fixed = reference.inputs[0].shape[0]
    batches = in_portions([[array[:_SAMPLES] for array in quantized.samples]], fixed if isinstance(fixed, int) else 1)
    left_out: list[str] = []
    examples: list[tuple[Example, Example]] = []
    measure: object = quantized.measure
    # First what is seen at a glance.
    if isinstance(measure, WithExamples):
        if late():
            left_out.append("what both make of the same inputs")
        else:
            with openers[form.settings](form.model) as engine:
                examples = list(zip(measure.examples(reference), measure.examples(engine), strict=False))
    layers = compare_layers(plain, graph, batches, histograms=True, late=late)
    times: dict[str, LayerTime] = {}
    if report.measured and form.settings.engine == ONNX_RUNTIME.engine:
        if late():
            left_out.append("the time of each layer")
        else:
            (timed, *_) = in_portions([quantized.samples], report.batch)
            feeds = {spec.name: array for spec, array in zip(reference.inputs, timed, strict=True)}
            before = _layer_times(quantized.float_model, plain.layers, feeds, report.threads)
            after = _layer_times(form.model, graph.layers, feeds, report.threads)
            times = {one: LayerTime(before.get(one), after.get(one)) for one in after.keys() | before.keys()}
    return Inspection(name, graph, layers, times, examples, tuple(left_out))


def _form(quantized: Quantized) -> tuple[str, Written]:
    """What is looked at, and its name."""
    name = next(form.name for form in quantized.report.forms if form.written)
    if quantized.report.outcome is not Outcome.INT8:
        by_outcome = {one.outcome: other for other, one in quantized.candidates.items()}
        name = by_outcome.get(Outcome.INT8, by_outcome.get(Outcome.WEIGHT_ONLY, name))
    return name, quantized.candidates[name]


def _layer_times(
    model: onnx.ModelProto, layers: Sequence[Layer], feeds: Mapping[str, Array], threads: int | None
) -> dict[str, tuple[float, float]]:
    """Microseconds of each layer by name, conversions right behind it included, and the share of all."""
    keys = {key: layer.name for layer in layers for key in (layer.name, *layer.names)}
    times: dict[str, float] = defaultdict(float)
    whole = 0.0
    for name, (microseconds, _) in kernel_times(model, feeds, threads).items():
        whole += microseconds
        key = longest_beginning(name, keys)
        if key is not None:
            times[keys[key]] += microseconds
    return {name: (taken, taken / (whole or 1.0)) for name, taken in times.items()}
