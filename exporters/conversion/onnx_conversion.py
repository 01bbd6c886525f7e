"""From a PyTorch network to an ONNX model: dynamic where the network allows it, free of all that is not inference."""

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from edgevision.core.errors import EdgevisionError, InputError
from edgevision.exporters.analysis.picture_sizes import Examples, PictureSizes, find_picture_sizes, repeated
from edgevision.exporters.conversion.agreement import Case, Comparison, DisagreementError
from edgevision.exporters.conversion.torch_exporters import ExportRequest, branches, with_dynamo, with_torchscript
from edgevision.exporters.passes.cleanup import without_traces
from edgevision.exporters.passes.static_shapes import dynamic_axes
from edgevision.exporters.torch_engine import flatten_outputs
from edgevision.modelfiles.metadata import TensorSpec

_log = logging.getLogger(__name__)


class ConversionError(EdgevisionError):
    """The network uses something that neither of PyTorch's ONNX exporters can express."""


class FrozenBranchError(Exception):
    """A graph goes the way of the example where its network goes another."""


@dataclass(frozen=True)
class Conversion:
    """The ``model``, the exporter that made it (``dynamo`` or ``torchscript``), and remarks for the user.

    ``dynamic`` names the dynamic axes among batch, height and width, or batch and time. ``sides`` are those that the
    network itself takes, and in the multiples for which the model agrees with it; ``None`` where it takes no pictures.
    """

    model: onnx.ModelProto
    exporter: str
    dynamic: tuple[str, ...]
    notes: tuple[str, ...] = ()
    picture_sizes: PictureSizes | None = None

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The model's inputs."""
        return tuple(_spec(value) for value in self.model.graph.input)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The model's outputs."""
        return tuple(_spec(value) for value in self.model.graph.output)


def convert_to_onnx(
    network: nn.Module,
    examples: Examples,
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    multiple: int = 1,
    keeps_size: bool = False,
    values: Sequence[Case] = (),
) -> Conversion:
    """Convert ``network``, which takes tensors like ``examples`` (batch first, pictures of equal height and width).

    The batch is dynamic where the network takes more than one sample, and so are height and width where it takes other
    sizes, in multiples of ``multiple`` or of what is found out, and the graph computes the same for them. What cannot
    be dynamic is fixed to the example's size, with a note.

    Args:
        keeps_size: an output has to have the input's size, or the same multiple of it, for a size to count as taken.
        values: inputs like ``examples`` of other values, for which the graph has to compute the same, too.

    Raises:
        InputError: the network does not run on the example.
        ConversionError: neither exporter can convert it, or it goes another way for some values.
    """
    # A batch of one would be taken for a constant of the network.
    batch = tuple(torch.cat([example, example]) if len(example) == 1 else example for example in examples)
    # Programs and traces may hold the batch they were made with as a constant.
    several = _runs(network, batch)
    if not several:
        run_network(network, examples)
    count = ("batch",) if several else ()
    alone = examples if _runs(network, examples) else batch
    sides = _picture_sizes_of(network, alone, multiple, keeps_size)
    takes_any = sides.dynamic if sides else _lengths_of(network, alone)
    choices: list[tuple[str, ...]] = list(dict.fromkeys([(*count, *takes_any), count, takes_any, ()]))
    comparison = Comparison(lambda inputs: _arrays(network, inputs), lambda inputs: _exactly(network, inputs))
    request = ExportRequest(network, examples, input_names, output_names, multiple=sides.multiple if sides else 1)
    reasons: list[Exception] = []
    for exporter in (with_dynamo, with_torchscript):
        name = "dynamo" if exporter is with_dynamo else "torchscript"
        for dynamic in choices:
            inputs = batch if "batch" in dynamic else examples
            try:
                model = exporter(replace(request, examples=inputs, dynamic=dynamic))
                _check_dynamic(model, dynamic)
                model = without_traces(model)
                notes = _notes(name, dynamic, (*count, *takes_any), examples, reasons)
                found = Conversion(model, name, dynamic, notes, sides)
                # A network that decides by the batch goes another way for one picture.
                batches = {len(tensors[0]): tensors for tensors in (inputs, alone if "batch" in dynamic else inputs)}
                comparison.check(model, [Case(f"a batch of {size}", tensors) for size, tensors in batches.items()])
            except Exception as error:  # the exporters raise dozens of internal classes
                _log.debug("%s, dynamic %s: %s", name, dynamic, error)
                reasons.append(error)
                continue
            try:
                return _agreeing(found, comparison, examples, values)
            except DisagreementError as error:
                reasons.append(error)
            except FrozenBranchError as error:
                raise ConversionError(f"{error}{_at(branches(network, examples))}") from error
    raise ConversionError(f"PyTorch cannot convert this network to ONNX: {first_cause(reasons[0])}")


def _agreeing(found: Conversion, comparison: Comparison, examples: Examples, values: Sequence[Case]) -> Conversion:
    """``found``, its sides in the multiples for which its model computes what the network does.

    Raises:
        FrozenBranchError: for other values it does not.
        DisagreementError: for other sizes it does not.
    """
    try:
        comparison.check(found.model, values)
    except DisagreementError as error:
        raise FrozenBranchError(
            f"{error}: the network decides by the values of its input, and a graph has one way only"
        ) from error
    if "time" in found.dynamic:
        comparison.check(found.model, [Case(f"{w.shape[1]} frames", (w,)) for w in _other_lengths(examples[0])])
    if found.picture_sizes is None or not {"height", "width"} & set(found.dynamic):
        return found

    def difference(size: tuple[int, int]) -> DisagreementError | None:
        try:
            comparison.check(found.model, [Case(f"{size[1]}x{size[0]} pixels", repeated(examples, *size))])
        except DisagreementError as error:
            return error
        return None

    differences = {size: difference(size) for size in found.picture_sizes.others()}
    if not any(differences.values()):
        return found
    # A network that pads only what is no multiple has a branch for that; the runtime pads as well.
    for coarser in found.picture_sizes.coarser():
        explained = all(
            (error is None) == (size[0] % coarser.multiple == size[1] % coarser.multiple == 0)
            for size, error in differences.items()
        )
        if explained and not any(map(difference, coarser.others())):
            note = f"sides in multiples of {coarser.multiple}: for others the network goes another way"
            return replace(found, picture_sizes=coarser, notes=(*found.notes, note))
    raise next(error for error in differences.values() if error is not None)


def _notes(
    exporter: str, dynamic: Sequence[str], wanted: Sequence[str], examples: Examples, reasons: Sequence[Exception]
) -> tuple[str, ...]:
    notes = []
    if exporter == "torchscript":
        notes.append(f"converted by TorchScript tracing, because the dynamo exporter failed: {first_cause(reasons[0])}")
    if "batch" not in dynamic:
        notes.append(f"batch fixed to {len(examples[0])}: the network does not take another")
    sides = [side for side in wanted if side != "batch" and side not in dynamic]
    if sides == ["time"]:
        notes.append(f"windows fixed to {examples[0].shape[1]} frames: {first_cause(reasons[0])}")
    elif sides:
        height, width = examples[0].shape[2:]
        notes.append(f"{' and '.join(sides)} fixed, pictures are {width}x{height}: {first_cause(reasons[0])}")
    return tuple(notes)


def _picture_sizes_of(network: nn.Module, examples: Examples, multiple: int, keeps_size: bool) -> PictureSizes | None:
    """The heights and widths that the network itself, not just its graph, accepts."""
    sizes = {tuple(example.shape[2:]) for example in examples if example.ndim == 4}
    # What is no picture may stand beside one that gives a picture again, as what it is to be painted like.
    if examples[0].ndim != 4 or len(sizes) != 1 or (not keeps_size and any(example.ndim != 4 for example in examples)):
        return None
    ((height, width),) = sizes
    scale = flatten_outputs(run_network(network, examples))[0].shape[2] // height if keeps_size else 0

    def takes(height: int, width: int) -> bool:
        try:
            output = flatten_outputs(run_network(network, repeated(examples, height, width)))[0]
        except InputError:
            return False
        return not keeps_size or output.shape[2:] == (scale * height, scale * width)

    return find_picture_sizes(takes, height, width, multiple=multiple)


def _lengths_of(network: nn.Module, examples: Examples) -> tuple[str, ...]:
    """``("time",)`` where the examples are windows of frames and the network takes others."""
    if len(examples) != 1 or "time" not in dynamic_axes(examples[0].ndim):
        return ()
    return ("time",) if all(_runs(network, (window,)) for window in _other_lengths(examples[0])) else ()


def _other_lengths(window: Tensor) -> tuple[Tensor, ...]:
    """One frame alone, and more than twice as many as in ``window`` (N, T, C, H, W)."""
    return window[:, :1], torch.cat([window, window.flip(1), window[:, :1]], 1)


def _at(places: Sequence[str]) -> str:
    return f" ({'; '.join(places[:3])})" if places else ""


def _check_dynamic(model: onnx.ModelProto, dynamic: tuple[str, ...]) -> None:
    """The exporters make a side that the network reads as a number a constant, and say nothing."""
    shapes = [_spec(value).shape for value in model.graph.input]
    closed = [
        name
        for name in dynamic
        if any(isinstance(shape[axes[name]], int) for shape in shapes if name in (axes := dynamic_axes(len(shape))))
    ]
    if closed:
        raise ConversionError(f"the network reads its {' and '.join(closed)} as a constant")


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    # Some exporters write -1 for a dynamic axis.
    shape = tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else d.dim_param or "?" for d in tensor.shape.dim
    )
    dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return TensorSpec(name=value.name, shape=shape, dtype=dtype)


@torch.inference_mode()
def run_network(network: nn.Module, examples: Examples) -> Any:
    """What ``network`` returns for ``examples``; :class:`InputError` where it does not take them."""
    try:
        return network(*examples)
    except Exception as error:  # somebody else's code
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        shapes = " and ".join(str(tuple(example.shape)) for example in examples)
        raise InputError(f"the network does not take an input of {shapes}: {reason:.120}") from error


def _arrays(network: nn.Module, examples: Examples) -> list[Any]:
    return [output.numpy() for output in flatten_outputs(run_network(network, examples))]


def _exactly(network: nn.Module, examples: Examples) -> list[Any]:
    return _arrays(copy.deepcopy(network).double(), tuple(example.double() for example in examples))


def _runs(network: nn.Module, examples: Examples) -> bool:
    try:
        run_network(network, examples)
    except InputError:
        return False
    return True


def first_cause(error: BaseException | None) -> str:
    """The first line of what went wrong at the bottom: above it the exporters explain themselves at length."""
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{lines[0] if lines else type(error).__name__:.160}"
