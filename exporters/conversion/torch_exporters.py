"""PyTorch's two ONNX exporters, made quiet, and what they say without saying it."""

import inspect
import io
import linecache
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.jit import TracerWarning  # type: ignore[attr-defined]

from edgevision.exporters.analysis.picture_sizes import Examples
from edgevision.exporters.conversion.adaptive_pooling import ExactAdaptivePooling
from edgevision.exporters.passes.static_shapes import dynamic_axes
from edgevision.exporters.quiet import quiet_exporter

OPSET = 20

# Small sizes are run and compared, which would take too long for large ones: their conditions are worked out.
_LARGE = 2048


class BranchError(Exception):
    """The program holds only for some of the sizes that it is said to take."""


@dataclass(frozen=True, eq=False)
class ExportRequest:
    """What either exporter is asked for.

    Attributes:
        examples: what the network takes, batch first.
        dynamic: the axes that are to be dynamic, of batch, height and width, the last two in multiples of ``multiple``;
            of a window of frames batch and time.
    """

    network: nn.Module
    examples: Examples
    input_names: Sequence[str]
    output_names: Sequence[str]
    dynamic: tuple[str, ...] = ()
    multiple: int = 1


def with_dynamo(request: ExportRequest) -> onnx.ModelProto:
    """By ``torch.export``, which knows what it assumes of the dynamic axes.

    Raises:
        BranchError: the network goes another way for other sizes.
        Exception: almost anything, where it cannot export the network.
    """
    sides = {name: Dim(name) for name in ("batch", "time", "height", "width")}
    if request.multiple > 1:
        sides |= {name: request.multiple * Dim(f"{name}_by_{request.multiple}") for name in ("height", "width")}
    with quiet_exporter(), ExactAdaptivePooling():
        program = torch.onnx.export(
            request.network,
            request.examples,
            input_names=list(request.input_names),
            output_names=list(request.output_names),
            dynamic_shapes=_by_parameter(
                request.network,
                [
                    {axis: sides[name] for axis, name in _named_axes(request, example.ndim).items()} or None
                    for example in request.examples
                ],
            ),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    if program.exported_program is not None:
        # For windows of other lengths the graph is compared with the network: what is assumed of a recurrent layer's
        # output are shapes, not ways.
        axes = _named_axes(request, request.examples[0].ndim)
        sizes = {name: axis for axis, name in axes.items() if name in ("height", "width")}
        _check_assumptions(program.exported_program, sizes)
    return program.model_proto


def with_torchscript(request: ExportRequest) -> onnx.ModelProto:
    """By tracing: every branch becomes the way of the examples, of which :func:`branches` tells."""
    axes = {
        name: _named_axes(request, example.ndim)
        for name, example in zip(request.input_names, request.examples, strict=True)
    }
    first = _named_axes(request, request.examples[0].ndim)
    kept = {axis: name for axis, name in first.items() if name in ("batch", "time")}
    if kept:
        axes |= dict.fromkeys(request.output_names, kept)
    stream = io.BytesIO()
    # On failure it prints its graph, by default to standard output, which belongs to the command's result.
    torch._C._jit_set_onnx_log_output_stream("stderr")
    with quiet_exporter(), ExactAdaptivePooling():
        torch.onnx.export(
            request.network,
            request.examples,
            stream,  # type: ignore[arg-type]
            input_names=list(request.input_names),
            output_names=list(request.output_names),
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    return onnx.load_model_from_string(stream.getvalue())


def _named_axes(request: ExportRequest, rank: int) -> dict[int, str]:
    """The names of the dynamic axes of an input of that rank."""
    return {axis: name for name, axis in dynamic_axes(rank).items() if name in request.dynamic}


def _by_parameter(network: nn.Module, shapes: Sequence[Any]) -> tuple[Any, ...]:
    """One for each parameter of ``network``: what it takes as ``*rest`` are one."""
    if isinstance(network, torch.jit.ScriptModule):  # of which the exporter says that it does not take it
        return tuple(shapes)
    kinds = [parameter.kind for parameter in inspect.signature(network.forward).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        return tuple(shapes)
    place = kinds.index(inspect.Parameter.VAR_POSITIONAL)
    return (*shapes[:place], tuple(shapes[place:]))


def branches(network: nn.Module, examples: Examples) -> tuple[str, ...]:
    """The lines of the network's code where a value becomes a number or a decision of Python, as tracing finds them."""
    with quiet_exporter() as caught:
        try:
            torch.jit.trace(network, examples, check_trace=False)  # type: ignore[no-untyped-call]
        except Exception:  # somebody else's code
            return ()
    places = [(Path(w.filename), w.lineno) for w in caught if issubclass(w.category, TracerWarning)]
    torchs = Path(torch.__file__).parent
    return tuple(
        f"{path.name} line {number}: {linecache.getline(str(path), number).strip()}"
        for path, number in dict.fromkeys(places)
        if torchs not in path.parents
    )


def _check_assumptions(program: ExportedProgram, axes: Mapping[str, int]) -> None:
    """Raise :class:`BranchError` where a large, an upright or a lying picture takes another way than the example.

    ``torch.export`` follows a branch on a side the way the example goes and notes the condition. The ONNX exporter
    drops it, so that the graph would go that way for every size.

    ``axes`` names the dynamic axes of the pictures that ``program`` takes.
    """
    nodes = program.graph.nodes
    pictures = [node.meta["val"] for node in nodes if node.op == "placeholder"]
    example: dict[object, int] = {}
    symbols: dict[str, object] = {}
    for picture in pictures:
        for axis, side in enumerate(getattr(picture, "shape", ())):
            if isinstance(side, torch.SymInt):
                (symbol,) = side.node.expr.free_symbols
                # The side is the symbol, or a multiple of it.
                example[symbol] = int(side.node.hint) // int(side.node.expr.subs(symbol, 1))
                symbols |= {name: symbol for name, at in axes.items() if at == axis}
    factor = max(2, _LARGE // min((example[symbol] for symbol in symbols.values()), default=_LARGE))
    conditions = [node.meta["val"].node.expr for node in nodes if isinstance(node.meta.get("val"), torch.SymBool)]
    for names in (tuple(symbols), *((name,) for name in symbols)):
        large = example | {symbols[name]: factor * example[symbols[name]] for name in names}
        for condition in conditions:
            if bool(condition.subs(example)) != bool(condition.subs(large)):
                raise BranchError(f"it goes another way where {condition} does not hold")
        for name in names:
            bounds = program.range_constraints.get(symbols[name])
            if bounds is not None and bounds.upper < large[symbols[name]]:
                raise BranchError(f"it goes another way where the {name} is more than {bounds.upper}")
