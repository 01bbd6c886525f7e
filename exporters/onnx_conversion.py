"""From a PyTorch network to an ONNX model: dynamic where the network allows it, free of all that is not inference."""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from typing import Any

import onnx
import onnx_ir
import onnxscript.optimizer
import torch
from onnx_ir.passes.common import RemoveInitializersFromInputsPass
from torch import Tensor, nn
from torch.export import Dim

from edgevision.errors import EdgevisionError, InputError
from edgevision.metadata import TensorSpec

_log = logging.getLogger(__name__)

OPSET = 20

Examples = tuple[Tensor, ...]
"""One tensor for each input of a network, in the order of its parameters."""

_POSITIONS = {"batch": 0, "height": 2, "width": 3}


class ConversionError(EdgevisionError):
    """The network uses something that neither of PyTorch's ONNX exporters can express."""


@dataclass(frozen=True)
class Conversion:
    """The ``model``, the exporter that made it (``dynamo`` or ``torchscript``), and remarks for the user.

    ``dynamic`` names the sides left open among batch, height and width.
    """

    model: onnx.ModelProto
    exporter: str
    dynamic: tuple[str, ...]
    notes: tuple[str, ...] = ()

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
) -> Conversion:
    """Convert ``network``, which takes tensors like ``examples`` (batch first, pictures of equal height and width).

    The batch is dynamic where the network takes more than one sample, and so are height and width where it runs on
    another size (sides being a ``multiple``). What cannot be dynamic is fixed to the example's size, with a note.

    Raises:
        InputError: the network does not run on the example.
        ConversionError: neither exporter can convert it.
    """
    # A batch of one would be taken for a constant of the network.
    batch = tuple(torch.cat([example, example]) if len(example) == 1 else example for example in examples)
    # Programs and traces may hold the batch they were made with as a constant.
    several = _runs(network, batch)
    if not several:
        run_network(network, examples)
    count = ("batch",) if several else ()
    sides = ("height", "width") if _runs_on_another_size(network, batch if several else examples, multiple) else ()
    choices: list[tuple[str, ...]] = list(dict.fromkeys([(*count, *sides), count, sides, ()]))
    notes: list[str] = []
    reason: Exception | None = None
    for exporter in (_with_dynamo, _with_torchscript):
        for dynamic in choices:
            try:
                inputs = batch if "batch" in dynamic else examples
                model = exporter(network, inputs, input_names, output_names, dynamic, multiple)
                _check_open(model, dynamic)
            except Exception as error:  # the exporters raise dozens of internal classes
                _log.debug("%s, dynamic %s: %s", exporter.__name__, dynamic, error)
                reason = reason or error
                continue
            name = "dynamo" if exporter is _with_dynamo else "torchscript"
            if name == "torchscript":
                notes.append(f"converted by TorchScript tracing, because the dynamo exporter failed: {_reason(reason)}")
            fixed = [side for side in ("batch", *sides) if side not in dynamic]
            if fixed:
                notes.append(
                    f"{' and '.join(fixed)} fixed to {tuple(examples[0].shape)}: the network cannot leave it open"
                )
            return Conversion(_simplified(model), name, dynamic, tuple(notes))
    raise ConversionError(f"PyTorch cannot convert this network to ONNX: {_reason(reason)}")


def another_size(height: int, width: int, multiple: int) -> tuple[int, int]:
    """A size that only a network for any size accepts: half as high again and twice as wide.

    A pixel or two more would tell nothing, they are lost in the rounding of pooling layers.
    """
    return height + multiple * -(-height // (2 * multiple)), 2 * width


def without_default_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Older exporters list every constant as an input that may be given; here an input is what has to be."""
    ir = onnx_ir.from_proto(model)
    RemoveInitializersFromInputsPass()(ir)
    return onnx_ir.to_proto(ir)


def with_fixed_sides(model: onnx.ModelProto, examples: Examples) -> onnx.ModelProto:
    """With every input's shape that of ``examples``, and what follows from it computed."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value, example in zip(fixed.graph.input, examples, strict=True):
        for dimension, size in zip(value.type.tensor_type.shape.dim, example.shape, strict=True):
            dimension.dim_value = size
    # What was inferred for open sides would stand in the way.
    del fixed.graph.value_info[:]
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    with _quiet_exporter():
        # Folding turns what computes a shape into the shape.
        folded = onnxscript.optimizer.optimize(fixed)
    return onnx.shape_inference.infer_shapes(folded, data_prop=True)


def add_metadata(model: onnx.ModelProto, key: str, value: str) -> None:
    """Put ``value`` into the model's ``metadata_props`` under ``key``, replacing what was there."""
    others = [entry for entry in model.metadata_props if entry.key != key]
    del model.metadata_props[:]
    model.metadata_props.extend([*others, onnx.StringStringEntryProto(key=key, value=value)])


def _with_dynamo(
    network: nn.Module,
    examples: Examples,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic: tuple[str, ...],
    multiple: int,
) -> onnx.ModelProto:
    sides = {"batch": Dim("batch"), "height": Dim("height"), "width": Dim("width")}
    if multiple > 1:
        sides |= {name: multiple * Dim(f"{name}_by_{multiple}") for name in ("height", "width")}
    with _quiet_exporter():
        program = torch.onnx.export(
            network,
            examples,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_shapes=tuple({_POSITIONS[name]: sides[name] for name in dynamic} or None for _ in examples),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _with_torchscript(
    network: nn.Module,
    examples: Examples,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic: tuple[str, ...],
    multiple: int,
) -> onnx.ModelProto:
    axes = {input_name: {_POSITIONS[name]: name for name in dynamic} for input_name in input_names}
    if "batch" in dynamic:
        axes |= {name: {0: "batch"} for name in output_names}
    stream = io.BytesIO()
    # On failure it prints its graph, by default to standard output, which belongs to the command's result.
    torch._C._jit_set_onnx_log_output_stream("stderr")
    with _quiet_exporter():
        torch.onnx.export(
            network,
            examples,
            stream,  # type: ignore[arg-type]
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    return onnx.load_model_from_string(stream.getvalue())


def _check_open(model: onnx.ModelProto, dynamic: tuple[str, ...]) -> None:
    """The exporters make a side that the network reads as a number a constant, and say nothing."""
    shapes = [_spec(value).shape for value in model.graph.input]
    closed = [side for side in dynamic if any(isinstance(shape[_POSITIONS[side]], int) for shape in shapes)]
    if closed:
        raise ConversionError(f"the network reads its {' and '.join(closed)} as a constant")


def _simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    """Constants folded, dead nodes removed, and every trace of the exporting machine gone."""
    with _quiet_exporter():
        model = onnxscript.optimizer.optimize(model)
    # The exporter leaves source files and line numbers of the network's code in every node.
    for thing in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del thing.metadata_props[:]
        thing.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    model.producer_name = "edgevision"
    model.producer_version = ""
    onnx.checker.check_model(model)
    return model


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in tensor.shape.dim)
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


def _runs(network: nn.Module, examples: Examples) -> bool:
    try:
        run_network(network, examples)
    except InputError:
        return False
    return True


def _runs_on_another_size(network: nn.Module, examples: Examples, multiple: int) -> bool:
    """Whether the network itself, not just its graph, accepts other heights and widths."""
    if any(example.ndim != 4 for example in examples):
        return False
    height, width = another_size(int(examples[0].shape[2]), int(examples[0].shape[3]), multiple)
    return _runs(network, tuple(example.repeat(1, 1, 2, 2)[:, :, :height, :width] for example in examples))


def _reason(error: BaseException | None) -> str:
    """The first line of what went wrong at the bottom: above it the exporters explain themselves at length."""
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{lines[0] if lines else type(error).__name__:.160}"


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep torch's remarks about its own insides and about torchvision, which is not needed, from the user."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        # It prints half a graph when it gives one up.
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
