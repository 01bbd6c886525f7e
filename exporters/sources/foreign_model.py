"""An ONNX model that somebody else made: what no engine here runs is refused, what is old follows today's rules."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnx_ir
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from edgevision.core.errors import DeviceError, InputError, ModelFileError
from edgevision.core.printable import one_line
from edgevision.exporters.analysis.picture_sizes import Examples, PictureSizes, find_picture_sizes, repeated
from edgevision.exporters.conversion.onnx_conversion import Conversion, first_cause
from edgevision.exporters.passes.cleanup import with_dense_weights, without_default_inputs
from edgevision.exporters.passes.walk import every_node, every_node_of
from edgevision.exporters.sources.picture_input import PictureInput
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.metadata_check import check_graph
from edgevision.modelfiles.model_file import check_model_file
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Array, Closeable, Engine
from edgevision.runtime.tasks.classification.spec import class_count
from edgevision.runtime.tasks.other.task import OTHER

# What ONNX Runtime's own wheels know.
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc"}

_FEW_COMPUTE_IN = {onnx.TensorProto.BFLOAT16: "bfloat16", onnx.TensorProto.DOUBLE: "float64"}


def read_foreign_graph(source: Path) -> onnx.ModelProto:
    """What an ``.onnx`` file holds, as it is; :class:`ModelFileError` where it is damaged."""
    check_model_file(source)
    try:
        return onnx.load(source)
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelFileError(f"{str(source)!r} is no ONNX model: {error}") from error


def load_foreign_model(source: Path, graph: onnx.ModelProto | None = None) -> tuple[onnx.ModelProto, Engine]:
    """An ``.onnx`` file whose inputs and outputs are tensors of numbers, and the engine that takes it as it is.

    Args:
        graph: what was read of it already, which is not changed.

    Raises:
        ModelFileError: it is damaged, or uses what no engine here has.
        InputError: its inputs or outputs are something else.
    """
    model = read_foreign_graph(source) if graph is None else copy.deepcopy(graph)
    strange = sorted(set(_extensions(model)))
    if strange:
        raise ModelFileError(
            f"{source.name!r} has operators of extensions that no engine here has:"
            f" {', '.join(map(one_line, strange[:8]))}; export it without them, as without the steps before and behind"
            " the network"
        )
    for kind, values in (("input", model.graph.input), ("output", model.graph.output)):
        for value in values:
            what = _strange_type(value.type)
            if what is not None:
                raise InputError(
                    f"{kind} {value.name!r} of {source.name!r} is {what}; models here take and give tensors of numbers"
                    + ("" if kind == "input" else ": leave it out (with skl2onnx: zipmap=False)")
                )
    undeclared = {_domain(node.domain) for node in every_node(model.graph.node)}
    undeclared -= {_domain(entry.domain) for entry in (*model.opset_import, *model.functions)}
    if undeclared:
        raise ModelFileError(
            f"{source.name!r} is no valid ONNX model: it does not say in which version (opset_import) it uses the"
            f" operators of {', '.join(map(one_line, sorted(undeclared)))}"
        )
    if not model.graph.node:
        raise InputError(f"{source.name!r} computes nothing: its graph has no operators")
    try:
        model = without_default_inputs(with_dense_weights(model))
        model = _with_shapes(onnx.inliner.inline_local_functions(model))
    # What stands in the graph may contradict itself in as many ways as there are operators.
    except (
        onnx_ir.serde.SerdeError,
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
        ValueError,
        RuntimeError,
    ) as error:
        raise ModelFileError(f"{source.name!r} is no valid ONNX model: {first_cause(error)}") from error
    conversion = Conversion(model, "given", ())
    try:
        check_graph(ModelMetadata(task=OTHER.name, name=""), conversion.inputs, conversion.outputs)
    except ValueError as error:
        raise InputError(f"{source.name!r} cannot be used: {error}") from error
    # What an engine does not take is said in its words, before anything is asked of the user.
    try:
        engine = open_engine(source)
    except ModelFileError as error:
        types = {value.data_type for value in model.graph.initializer}
        found = [name for kind, name in _FEW_COMPUTE_IN.items() if kind in types]
        if not found:
            raise
        raise ModelFileError(f"{error}; its weights are {' and '.join(found)}: make it again in float32") from error
    return model, engine


def scores_first(model: onnx.ModelProto) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """With the output that holds a classifier's scores before all others, and a note where that was another."""
    conversion = Conversion(model, "given", ())
    picture, outputs = conversion.inputs[0], conversion.outputs

    def gives_scores(spec: TensorSpec) -> bool:
        try:
            return spec.dtype.startswith("float") and class_count(spec, picture) is not None
        except ValueError:
            return False

    fitting = [index for index, spec in enumerate(outputs) if gives_scores(spec)]
    if 0 in fitting or len(fitting) != 1:
        return model, ()
    values = sorted(model.graph.output, key=lambda value: value.name != outputs[fitting[0]].name)
    del model.graph.output[:]
    model.graph.output.extend(values)
    return model, (f"output {values[0].name!r} is put first: it holds the scores",)


class ForeignEngine(Closeable):
    """``engine``, which stays open, with its outputs in the order of ``names``, and given ``picture`` as it has it."""

    def __init__(self, engine: Engine, names: Sequence[str], picture: PictureInput | None = None) -> None:
        self._engine, self._picture = engine, picture
        self.name, self.device, self.provider = engine.name, engine.device, engine.provider
        self.assignment = engine.assignment
        self.inputs = engine.inputs if picture is None else (picture.spec,)
        given = [spec.name for spec in engine.outputs]
        self._order = [given.index(name) for name in names]
        self.outputs = tuple(engine.outputs[index] for index in self._order)

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """All outputs; raises as :meth:`edgevision.runtime.engines.engine.Engine.run`."""
        outputs = self._engine.run(inputs if self._picture is None else self._picture.feeds(inputs))
        return [outputs[index] for index in self._order]

    def close(self) -> None:
        """Loading a model takes as long as much of what is done with it: all that is asked of it is asked of one."""


def probe_dynamic_axes(
    engine: Engine, examples: Examples, dynamic: Sequence[str], *, multiple: int = 1, keeps_size: bool = False
) -> tuple[tuple[str, ...], PictureSizes | None]:
    """Those of ``dynamic`` (among batch, height and width, or batch and time) for which ``engine`` takes other sizes.

    That is found by running it.

    Graphs may say that an axis is dynamic, and hold a shape as a constant inside.

    Args:
        examples: what it takes, one tensor for each input.
        multiple, keeps_size: as of :func:`edgevision.exporters.conversion.onnx_conversion.convert_to_onnx`.
    """
    names = [spec.name for spec in engine.inputs]

    def run(inputs: Sequence[Array]) -> list[Array] | None:
        try:
            return engine.run(dict(zip(names, inputs, strict=True)))
        except (ValueError, DeviceError):
            return None

    arrays = [example.numpy() for example in examples]
    first = run(arrays)
    if first is None:
        return tuple(dynamic), None  # whoever runs it next says why
    count = len(arrays[0])

    def samples(outputs: list[Array]) -> list[int]:
        """Of each output that has one answer for every sample; a constant shape may put them together otherwise."""
        return [len(o) for o, known in zip(outputs, first, strict=True) if known.ndim and len(known) == count]

    several = False
    if "batch" in dynamic:
        # An input of a model of several may be for all samples alike.
        dynamic_inputs = [bool(spec.shape) and isinstance(spec.shape[0], str) for spec in engine.inputs]
        pairs = zip(arrays, dynamic_inputs, strict=True)
        outputs = run([np.concatenate([array, array]) if is_dynamic else array for array, is_dynamic in pairs])
        several = outputs is not None and set(samples(outputs)) <= {2 * count}
    batch = ("batch",) if several else ()
    if "time" in dynamic:
        # One frame more, as many answers more.
        longer = run([np.concatenate([array, array[:, -1:]], axis=1) for array in arrays])
        return (*batch, "time") if longer is not None and longer[0].shape[1] == arrays[0].shape[1] + 1 else batch, None
    sizes = {array.shape[2:] for array in arrays if array.ndim == 4}
    alone = all(array.ndim == 4 for array in arrays)
    if not {"height", "width"} & set(dynamic) or arrays[0].ndim != 4 or len(sizes) != 1 or not (alone or keeps_size):
        return batch, None
    ((height, width),) = sizes

    def takes(other_height: int, other_width: int) -> bool:
        outputs = run([example.numpy() for example in repeated(examples, other_height, other_width)])
        if outputs is None or not set(samples(outputs)) <= {count}:
            return False
        scale = first[0].shape[2] // height if keeps_size else 0
        return not keeps_size or outputs[0].shape[2:] == (scale * other_height, scale * other_width)

    sides = find_picture_sizes(takes, height, width, multiple=multiple)
    return (*batch, *(name for name in sides.dynamic if name in dynamic)), sides


def _with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """With the shapes of outputs that say nothing of theirs, as far as they follow from the inputs'."""
    if all(value.type.tensor_type.HasField("shape") for value in model.graph.output):
        return model
    inferred = onnx.shape_inference.infer_shapes(model)
    for value, known in zip(model.graph.output, inferred.graph.output, strict=True):
        value.CopyFrom(known)
    return model


def _strange_type(kind: onnx.TypeProto) -> str | None:
    """What a value is that is no tensor of numbers."""
    word = kind.WhichOneof("value")
    if word != "tensor_type":
        return {"sequence_type": "a sequence", "map_type": "a map", "optional_type": "optional"}.get(
            word or "", "of an unknown type"
        )
    element = kind.tensor_type.elem_type
    if element == onnx.TensorProto.STRING:
        return "text"
    numbers = str(onnx.helper.tensor_dtype_to_np_dtype(element)) if element in _numpy_types() else ""
    return None if numbers else f"of type {element}"


def _numpy_types() -> set[int]:
    proto = onnx.TensorProto
    whole = (proto.UINT8, proto.INT8, proto.UINT16, proto.INT16, proto.UINT32, proto.INT32, proto.UINT64, proto.INT64)
    return {proto.FLOAT, proto.FLOAT16, proto.DOUBLE, proto.BOOL, *whole}


def _extensions(model: onnx.ModelProto) -> Iterator[str]:
    """The operators of domains that engines do not have, and that are no functions of the model's own."""
    own = {(function.domain, function.name) for function in model.functions}
    for node in every_node_of(model):
        if node.domain not in _DOMAINS and (node.domain, node.op_type) not in own:
            yield f"{node.domain}.{node.op_type}"


def _domain(name: str) -> str:
    """The name of a domain: that of ONNX's own operators may be left empty."""
    return name or "ai.onnx"
