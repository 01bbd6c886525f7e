"""OpenVINO IR and ONNX models in OpenVINO."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from edgevision.core.errors import DeviceError, InputError, ModelFileError, UnfitInputError
from edgevision.core.extras import requires_extra
from edgevision.core.machine import Machine
from edgevision.modelfiles.measured_engine import InferencePrecision
from edgevision.modelfiles.metadata import TensorSpec
from edgevision.modelfiles.model_file import is_encrypted, model_hash, read_metadata
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.compiled_cache import compiled
from edgevision.runtime.engines.denormals import denormals_as_zero
from edgevision.runtime.engines.engine import Array, Closeable, EngineOptions
from edgevision.runtime.engines.inputs import unfit_inside
from edgevision.runtime.engines.openvino_biases import is_kept, keep_lost_biases

_HINTS = {InferencePrecision.FP32: "f32", InferencePrecision.BF16: "bf16", InferencePrecision.FP16: "f16"}
_DTYPES = {"f32": "float32", "f16": "float16", "i64": "int64", "i32": "int32", "u8": "uint8", "i8": "int8"}

# In the compiled graph: what holds values or passes them on.
_NO_NODES = {"Const", "Input", "Output", "Constant", "Parameter", "Result"}


class OpenVinoEngine(Closeable):
    """A model compiled by OpenVINO for one of its devices (CPU, GPU, NPU)."""

    def __init__(self, path: Path, provider: str, device: str, options: EngineOptions) -> None:
        """Compile ``path`` for OpenVINO's device ``provider``; OpenVINO keeps its memory whatever the options say.

        Raises:
            MissingExtraError: OpenVINO is not installed.
            DeviceError: OpenVINO does not see the device, or cannot compile all of the model for it and no fallback is
                allowed.
            ModelFileError: OpenVINO cannot read the model.
        """
        openvino, core = import_openvino(), openvino_core()
        name = device_name(core, provider, options.index)
        if name is None:
            raise DeviceError(
                f"device {device!r} is OpenVINO's {provider}, and OpenVINO sees only"
                f" {', '.join(core.available_devices) or 'none'} here; `edgevision devices` says what brings it"
            )
        precision = options.inference_precision if provider == "CPU" else InferencePrecision.FP32
        self.name = precision.behind(f"OpenVINO {openvino.__version__.split('-')[0]}")
        self.device = device
        self.provider = provider
        where = f"HETERO:{name},CPU" if options.allow_fallback and provider != "CPU" else name
        properties: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if provider == "CPU":
            # By itself OpenVINO computes in bf16 where the CPU has it, whether or not that was verified.
            properties["INFERENCE_PRECISION_HINT"] = _HINTS[precision]
            # It would leave the threads that call it so: see denormals.py.
            properties["CPU_DENORMALS_OPTIMIZATION"] = True
            if options.threads is not None:
                properties["INFERENCE_NUM_THREADS"] = options.threads
            if not _fits_cpu(path):
                # Otherwise sums of 16 bits saturate: 17 dB of SQNR, 1.4 dB of PSNR were seen to be lost.
                properties["LP_TRANSFORMS_MODE"] = "NO"
        self._where, self._properties = where, properties

        def build(folder: Path | None) -> Any:
            model = self._read(core, path, options)
            try:
                result = self.compile(model)
                if provider == "CPU" and keep_lost_biases(model, result):
                    result = self.compile(model)
            except RuntimeError as error:
                raise self._refusal(core, model, path, name, error) from error
            if folder is not None:
                (folder / "model.blob").write_bytes(result.export_model().getvalue())
            return result

        def reopen(folder: Path) -> Any:
            load = denormals_as_zero(core.import_model)
            return load((folder / "model.blob").read_bytes(), where, properties)

        if options.cache:
            facts = {
                "model": model_hash(path),
                "engine": openvino.__version__,
                "device": f"{where} {core.get_property(name, 'FULL_DEVICE_NAME')}",
                "driver": str(core.get_versions(name)),
                "properties": json.dumps(properties | {"shapes": dict(options.shapes)}, sort_keys=True),
            }
            program = compiled(facts, build, reopen)
        else:
            program = build(None)
        self._request: Any = program.create_infer_request()
        self._infer: Any = denormals_as_zero(self._request.infer)
        self._lock = Lock()
        self._tensor = openvino.Tensor
        self.inputs = tuple(_spec(port) for port in program.inputs)
        self._names = [spec.name for spec in self.inputs]
        try:
            self._dtypes = [np.dtype(spec.dtype) for spec in self.inputs]
        except TypeError as error:
            kinds = ", ".join(f"{spec.name!r} {spec.dtype}" for spec in self.inputs)
            raise ModelFileError(f"{path.name!r} takes what no NumPy array holds: {kinds}") from error
        self._bound: list[Array | None] = [None] * len(self.inputs)
        self.outputs = tuple(_spec(port) for port in program.outputs if not is_kept(port))
        self.assignment = Assignment.of(device.split(":")[0], _nodes(program, device.split(":")[0]))

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        try:
            # Several threads may have something to ask of the one request.
            with self._lock:
                self._bind(inputs)
                # Started and waited for, it would go through another thread, which takes 20 microseconds.
                answers = self._infer(share_outputs=True).values()
                # Behind those of the model lie those that only keep its biases.
                return [answer.copy() for answer, _ in zip(answers, self.outputs, strict=False)]
        except RuntimeError as error:
            reason = _last_line(error)
            node = re.search(r"\[CPU\] (\w+) node with name '([^']*)'.*shape_inference", str(error))
            if node is not None:
                shapes = {name: np.shape(array) for name, array in inputs.items()}
                raise unfit_inside(shapes, f"{node[1]} {node[2]!r}") from error
            if "shape" in reason.lower() or "incompatible" in reason.lower():
                raise UnfitInputError(f"the model does not take this input: {reason}") from error
            raise DeviceError(f"{self.name} failed on {self.device}: {reason}") from error

    def _bind(self, inputs: Mapping[str, Array]) -> None:
        """Let the request read its inputs where they lie."""
        for index, name in enumerate(self._names):
            if name not in inputs:
                raise ValueError(f"the model also takes {name}")
            given = inputs[name]
            # Binding takes OpenVINO some 40 microseconds; an array that it sees already may hold other values.
            if given is not self._bound[index]:
                array = np.asarray(given, self._dtypes[index], order="C")
                self._request.set_input_tensor(index, self._tensor(array, shared_memory=True))
                self._bound[index] = array

    def close(self) -> None:
        self._request, self._infer, self._bound = None, None, []

    def compile(self, model: Any, **more: str) -> Any:
        """Compile a model of OpenVINO's for this engine's device, with its properties and ``more``."""
        return denormals_as_zero(openvino_core().compile_model)(model, self._where, self._properties | more)

    @staticmethod
    def _read(core: Any, path: Path, options: EngineOptions) -> Any:
        try:
            model = _read_encrypted(core, path) if is_encrypted(path) else core.read_model(path)
        except RuntimeError as error:
            raise ModelFileError(f"{str(path)!r} cannot be read by OpenVINO: {_last_line(error)}") from error
        if options.shapes:
            try:
                model.reshape({name: list(shape) for name, shape in options.shapes.items()})
            except RuntimeError as error:
                sizes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in options.shapes.items())
                raise InputError(f"{path.name!r} cannot be loaded for {sizes}: {_last_line(error)}") from error
        return model

    def _refusal(self, core: Any, model: Any, path: Path, name: str, error: RuntimeError) -> DeviceError:
        """What the device cannot do, by name where OpenVINO tells."""
        try:
            supported = core.query_model(model, name)
        except RuntimeError:
            # What it cannot rewrite for the device it cannot look at either.
            return DeviceError(f"OpenVINO cannot compile {path.name!r} for {self.device}: {_last_line(error)}")
        operations = [op for op in model.get_ordered_ops() if op.get_type_name() not in _NO_NODES]
        strays = sorted({op.get_type_name() for op in operations if op.get_friendly_name() not in supported})
        named = f"it has no {', '.join(strays)}; --allow-fallback leaves them to the CPU: " if strays else ""
        return DeviceError(f"OpenVINO cannot compile {path.name!r} for {self.device}: {named}{_last_line(error)}")


def _fits_cpu(path: Path) -> bool:
    """Whether int8 arithmetic on this CPU is exact for the model: where sums may saturate it needs weights made for it.

    Those of an ONNX model are made for the pairs that ONNX Runtime adds up; OpenVINO pairs others.
    """
    if not Machine.this().int8_sums_saturate:
        return True
    metadata = read_metadata(path)
    return path.suffix == ".xml" and metadata is not None and metadata.target == "x86-avx2"


def import_openvino() -> Any:
    """The ``openvino`` module."""
    with requires_extra("openvino"):
        import openvino
    return openvino


def _read_encrypted(core: Any, path: Path) -> Any:
    """The model of an encrypted file, from memory."""
    from edgevision.modelfiles.encrypted_model import read_encrypted

    contents = read_encrypted(path)
    weights = contents.beside.get(Path(contents.name).with_suffix(".bin").name)
    if Path(contents.name).suffix == ".xml":
        return core.read_model(contents.model, weights or b"")
    if any(Path(name).suffix != ".json" for name in contents.beside):
        raise ModelFileError(
            f"{str(path)!r} has weights outside, which OpenVINO reads from files only: run it in ONNX Runtime, or"
            " encrypt the .xml"
        )
    return core.read_model(contents.model)


def openvino_core() -> Any:
    """OpenVINO's core, the same for the whole process: looking for devices takes time."""
    return _core(import_openvino())


@cache
def _core(openvino: Any) -> Any:
    return openvino.Core()


def device_name(core: Any, provider: str, index: int) -> str | None:
    """OpenVINO's name of that device among those it sees: one is ``GPU``, several are ``GPU.0``, ``GPU.1``."""
    own = [name for name in core.available_devices if name.split(".")[0] == provider]
    return own[index] if index < len(own) else None


def _nodes(program: Any, device: str) -> list[tuple[str, str]]:
    """(device, operation) of the nodes of a compiled model that compute."""
    nodes = []
    for operation in program.get_runtime_model().get_ordered_ops():
        facts = operation.get_rt_info()
        kind = facts["layerType"].astype(str) if "layerType" in facts else operation.get_type_name()
        where = facts["execDevice"].astype(str).split(".")[0].lower() if "execDevice" in facts else device
        if kind not in _NO_NODES:
            nodes.append((where, kind))
    return nodes


def _spec(port: Any) -> TensorSpec:
    shape = tuple(d.get_length() if d.is_static else "?" for d in port.partial_shape)
    kind = port.element_type.get_type_name()
    # An input that is only cast has the name of what is cast, too, and which comes first is not said.
    own = port.get_node().get_friendly_name()
    return TensorSpec(
        name=own if own in port.get_names() else port.any_name, shape=shape, dtype=_DTYPES.get(kind, kind)
    )


def _last_line(error: Exception) -> str:
    """OpenVINO stacks the places an exception passed through; the last line is the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
