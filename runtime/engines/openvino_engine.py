"""OpenVINO IR and ONNX models in OpenVINO."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np

from edgevision.core.errors import DeviceError, EdgevisionError, InputError, ModelFileError, UnfitInputError
from edgevision.core.extras import requires_extra
from edgevision.core.machine import Machine
from edgevision.metrics.figures import sqnr_db
from edgevision.modelfiles.measured_engine import InferencePrecision
from edgevision.modelfiles.metadata import TensorSpec
from edgevision.modelfiles.model_file import is_encrypted, model_hash, model_state, read_metadata
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.compiled_cache import compiled
from edgevision.runtime.engines.denormals import denormals_as_zero
from edgevision.runtime.engines.engine import Array, Closeable, EngineOptions
from edgevision.runtime.engines.inputs import unfit_inside
from edgevision.runtime.engines.openvino_biases import is_kept, keep_lost_biases
from edgevision.runtime.engines.openvino_request import OpenVinoRequest

_log = logging.getLogger(__name__)

_HINTS = {InferencePrecision.FP32: "f32", InferencePrecision.BF16: "bf16", InferencePrecision.FP16: "f16"}
_DTYPES = {"f32": "float32", "f16": "float16", "i64": "int64", "i32": "int32", "u8": "uint8", "i8": "int8"}

_Shapes = dict[str, tuple[int, ...]]
# So many are compiled for: a tile's, and those at the ends of rows and columns. Who sends more would wait too often.
_MOST_SHAPES = 3
# So often they have to come in a row: compiling takes 0.3 to 2.4 seconds, for which a few pictures should not wait.
_IN_A_ROW = 4
# What is compiled for them rounds in other places: eight networks in float32 and bfloat16, int8 and not, were 39 dB and
# more alike. What differs by more is computed in another way.
_LEAST_AGREEMENT_DB = 30.0
_COMPARED_RUNS, _COMPARED_SECONDS = 3, 0.1

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
        self._path, self._options, self._device_name = path, options, name
        self._state = model_state(path)
        program = self._program(options)
        self.inputs = tuple(_spec(port) for port in program.inputs)
        self.outputs = tuple(_spec(port) for port in program.outputs if not is_kept(port))
        self.assignment = Assignment.of(device.split(":")[0], _nodes(program, device.split(":")[0]))
        try:
            self._dtypes = {spec.name: np.dtype(spec.dtype) for spec in self.inputs}
        except TypeError as error:
            kinds = ", ".join(f"{spec.name!r} {spec.dtype}" for spec in self.inputs)
            raise ModelFileError(f"{path.name!r} takes what no NumPy array holds: {kinds}") from error
        self._request: OpenVinoRequest | None = OpenVinoRequest(program, openvino.Tensor, self._dtypes)
        self._lock = Lock()
        dynamic = not all(port.partial_shape.is_static for port in program.inputs)
        self._specialises = dynamic and provider == "CPU" and not is_encrypted(path)
        self._last: _Shapes = {}
        self._in_a_row = 0
        self._fixed: list[tuple[_Shapes, OpenVinoRequest]] = []

    def _program(self, options: EngineOptions) -> Any:
        """The compiled model for the shapes of ``options``, from the cache where that is asked for."""
        core = openvino_core()

        def build(folder: Path | None) -> Any:
            model = self._read(core, self._path, options)
            try:
                result = self.compile(model)
                if self.provider == "CPU" and keep_lost_biases(model, result):
                    result = self.compile(model)
            except RuntimeError as error:
                raise self._refusal(core, model, self._path, self._device_name, error) from error
            if folder is not None:
                (folder / "model.blob").write_bytes(result.export_model().getvalue())
            return result

        def reopen(folder: Path) -> Any:
            load = denormals_as_zero(core.import_model)
            return load((folder / "model.blob").read_bytes(), self._where, self._properties)

        if not options.cache:
            return build(None)
        facts = {
            "model": model_hash(self._path),
            "engine": import_openvino().__version__,
            "device": f"{self._where} {core.get_property(self._device_name, 'FULL_DEVICE_NAME')}",
            "driver": str(core.get_versions(self._device_name)),
            "properties": json.dumps(self._properties | {"shapes": dict(options.shapes)}, sort_keys=True),
        }
        return compiled(facts, build, reopen)

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        try:
            # Several threads may have something to ask of the one request.
            with self._lock:
                if self._request is None:
                    raise DeviceError(f"{self.name} failed on {self.device}: the engine is closed")
                shapes = {name: np.shape(inputs[name]) for name in self._dtypes if name in inputs}
                # Behind the outputs of the model lie those that only keep its biases.
                outputs = self._request_for(shapes, self._request, inputs).run(inputs, len(self.outputs))
                # What it refuses is not compiled for.
                self._in_a_row = self._in_a_row + 1 if shapes == self._last else 1
                self._last = shapes
                return outputs
        except RuntimeError as error:
            reason = _last_line(error)
            node = re.search(r"\[CPU\] (\w+) node with name '([^']*)'.*shape_inference", str(error))
            if node is not None:
                shapes = {name: np.shape(array) for name, array in inputs.items()}
                raise unfit_inside(shapes, f"{node[1]} {node[2]!r}") from error
            if "shape" in reason.lower() or "incompatible" in reason.lower():
                raise UnfitInputError(f"the model does not take this input: {reason}") from error
            raise DeviceError(f"{self.name} failed on {self.device}: {reason}") from error

    def _request_for(self, shapes: _Shapes, otherwise: OpenVinoRequest, inputs: Mapping[str, Array]) -> OpenVinoRequest:
        """Of the model compiled for ``shapes``, from the fourth time in a row on that they come.

        Where a side is not known OpenVINO does not plan its layouts: a network with instance normalisations in int8
        took 3.5 times as long so. What comes rarely is not worth the time to compile; the first few that come again
        are, where the result is the same and comes sooner.
        """
        if not self._specialises:
            return otherwise
        for known, request in self._fixed:
            if known == shapes:
                return request
        again = shapes == self._last and self._in_a_row >= _IN_A_ROW - 1
        if not again or len(self._fixed) == _MOST_SHAPES:
            return otherwise
        special = self._specialised(shapes)
        request = otherwise if special is None or not self._is_better(special, otherwise, inputs) else special
        self._fixed.append((shapes, request))
        return request

    def _is_better(self, request: OpenVinoRequest, otherwise: OpenVinoRequest, inputs: Mapping[str, Array]) -> bool:
        """Whether ``request`` gives what the one for all shapes gives, and sooner.

        OpenVINO fuses others in it, by mistake too: of a network with PReLU in int8, one of the two was 12 dB from the
        other, and three times as slow.
        """
        answers, seconds = [], []
        for one in (otherwise, request):
            answers.append(one.run(inputs, len(self.outputs)))
            seconds.append(_seconds(one, inputs, len(self.outputs)))
        return seconds[1] < seconds[0] and all(_agree(*pair) for pair in zip(*answers, strict=True))

    def _specialised(self, shapes: _Shapes) -> OpenVinoRequest | None:
        """``None`` where the file is no longer what it was, or cannot be compiled so."""
        try:
            if model_state(self._path) != self._state:
                return None
            program = self._program(replace(self._options, shapes=shapes, cache=False))
        except (EdgevisionError, OSError) as error:
            _log.info("%s is not compiled for %s: %s", self._path.name, shapes, error)
            return None
        return OpenVinoRequest(program, import_openvino().Tensor, self._dtypes)

    def close(self) -> None:
        self._request, self._fixed = None, []

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


def _seconds(request: OpenVinoRequest, inputs: Mapping[str, Array], outputs: int) -> float:
    """The least that a few runs take, or the only one where that is long: somebody waits."""
    found: list[float] = []
    while len(found) < _COMPARED_RUNS and sum(found) < _COMPARED_SECONDS:
        start = perf_counter()
        request.run(inputs, outputs)
        found.append(perf_counter() - start)
    return min(found)


def _agree(answer: Array, other: Array) -> bool:
    # How many boxes are found may change with the last digit; and not a number agrees with nothing.
    with np.errstate(all="ignore"):
        return answer.shape == other.shape and sqnr_db(answer, other) >= _LEAST_AGREEMENT_DB


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
