"""ONNX models in ONNX Runtime, on the providers of its own wheel."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.core.errors import DeviceError, DeviceMemoryError, InputError, ModelFileError, UnfitInputError
from edgevision.core.machine import Machine
from edgevision.core.process_memory import heap_trimmer
from edgevision.modelfiles.measured_engine import InferencePrecision
from edgevision.modelfiles.metadata import ModelMetadata, Precision, TensorSpec
from edgevision.modelfiles.model_file import is_encrypted, model_hash, read_graph, read_metadata
from edgevision.runtime.engines.assignment import Assignment, refuse_fallback
from edgevision.runtime.engines.denormals import denormals_as_zero
from edgevision.runtime.engines.engine import Array, Closeable, EngineOptions
from edgevision.runtime.engines.inputs import unfit_inside
from edgevision.runtime.engines.onnx_runtime_gpu import CPU, CUDA, TENSORRT, IoBinding, provider_chain
from edgevision.runtime.engines.onnx_runtime_library import (
    first_line,
    import_onnx_runtime,
    log_severity,
    unfit_operator,
)
from edgevision.runtime.engines.state_loop import CarriedState, StateLoop

_DEVICES = {CPU: "cpu", CUDA: "cuda", TENSORRT: "tensorrt"}

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(uint16)": "uint16",
    "tensor(int16)": "int16",
    "tensor(uint32)": "uint32",
    "tensor(int32)": "int32",
    "tensor(uint64)": "uint64",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


# Types of inputs that pictures are given in other than float32.
_CAST = ("float16", "float64", "uint8", "uint16", "int32")


class OnnxRuntimeEngine(Closeable):
    """An ``.onnx`` file in an ONNX Runtime session on one execution provider."""

    def __init__(self, path: Path, provider: str, device: str, options: EngineOptions) -> None:
        """Load ``path`` on ``provider``, which must be there and is checked to run all that computes.

        Raises:
            MissingExtraError: ONNX Runtime, or the provider's package, is not installed.
            DeviceError: the provider is not there, or cannot run all of the model and no fallback is allowed.
            ModelFileError: ONNX Runtime cannot read the model.
        """
        self._runtime = import_onnx_runtime()
        self._path = path
        self._options = options
        self.name = options.inference_precision.behind(f"ONNX Runtime {self._runtime.__version__}")
        self.device = device
        self.provider = provider
        # On a GPU the buffers of inputs and outputs are kept between runs.
        self.concurrent = provider == CPU
        self._session: Any = self._open(read_metadata(path))
        self.inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node) for node in self._session.get_outputs())
        # Pipelines compute in float32.
        self._casts = {spec.name: np.dtype(spec.dtype) for spec in self.inputs if spec.dtype in _CAST}
        self.assignment = self._assigned(self._session)
        if not options.allow_fallback:
            refuse_fallback(self.assignment, path)
        # What ONNX Runtime's threads have freed stays in their heaps: twice the memory on large pictures.
        self._trim = None if options.keep_memory else heap_trimmer()
        self._run = self._flushed(self._bound() or (lambda inputs: self._session.run(None, inputs)))
        self._run_binding = self._flushed(self._session.run_with_iobinding)

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        try:
            outputs: list[Array] = self._run({**inputs, **self._cast(inputs)} if self._casts else inputs)
        except Exception as error:  # each of ONNX Runtime's failures has a class of its own that shares no base
            raise self._run_error(error, inputs) from error
        if self._trim is not None:
            self._trim(0)
        return outputs

    def bind_states(self, states: Sequence[CarriedState], streams: int) -> StateLoop | None:
        """See :class:`.BindsStates`."""
        named = {state.output for state in states}
        inputs = [_with_batch(spec, streams) for spec in self.inputs]
        outputs = [_with_batch(spec, streams) for spec in self.outputs if spec.name not in named]
        known = all(spec.dtype == "float32" and _is_fixed(spec) for spec in (*inputs, *outputs))
        if self.provider != CPU or not known or inputs[0].shape[0] != streams:
            return None
        from edgevision.runtime.engines.onnx_runtime_states import BoundStates

        def run(binding: Any) -> None:
            try:
                self._run_binding(binding)
            except Exception as error:  # as of run
                raise self._run_error(error, {}) from error

        return BoundStates(self._runtime, self._session, run, inputs, outputs, states)

    def _run_error(self, error: Exception, inputs: Mapping[str, Array]) -> DeviceError | UnfitInputError:
        reason = first_line(error)
        if operator := unfit_operator(error):
            return unfit_inside({name: array.shape for name, array in inputs.items()}, operator)
        if "INVALID_ARGUMENT" in str(error) or isinstance(error, ValueError):
            return UnfitInputError(f"the model does not take this input: {reason}")
        if re.search(r"out of memory|failed to allocate memory|bad_alloc", str(error), re.IGNORECASE):
            return DeviceMemoryError(
                f"{self.device} has not enough memory for this input of {self._path.name!r}; a smaller --tile,"
                f" --batch or picture takes less: {reason}"
            )
        return DeviceError(f"{self.name} failed on {self.device}: {reason}")

    def _cast(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """What is float32 and is to be something else: rounded, and cut to the range, for whole numbers."""
        cast: dict[str, Array] = {}
        for name, dtype in self._casts.items():
            array = inputs.get(name)
            if array is None or array.dtype != np.float32:
                continue
            if dtype.kind in "iu":
                array = np.clip(np.rint(array), np.iinfo(dtype).min, np.iinfo(dtype).max)
            cast[name] = array.astype(dtype)
        return cast

    def close(self) -> None:
        self._run = self._run_binding = _closed
        self._session = None

    def open_profiled(self, prefix: str, entries: Mapping[str, str] | None = None) -> Any:
        """A session as this engine's but for ``entries``; the name of its profile's file begins with ``prefix``."""
        metadata = read_metadata(self._path)
        options = self._session_options(metadata, entries or {})
        options.enable_profiling = True
        options.profile_file_prefix = prefix
        return self._session_of(self._path, options, **self._providers(metadata))

    def _open(self, metadata: ModelMetadata | None) -> Any:
        """The session on :attr:`provider`."""
        if self.provider not in self._runtime.get_available_providers():
            raise DeviceError(
                f"device {self.device!r} needs ONNX Runtime's {self.provider}, which this installation"
                f" ({self._runtime.__version__}) does not have; `edgevision devices` says what brings it"
            )

        def start(cache: Path | None) -> Any:
            return self._start(self._path, metadata, **self._providers(metadata, cache))

        if self.provider == TENSORRT and self._options.cache:
            from edgevision.runtime.engines.compiled_cache import compiled
            from edgevision.runtime.engines.cuda_driver import describe_gpu

            facts = self._cache_facts() | {
                "gpu": describe_gpu(self._options.index),
                "static": str(_is_static(metadata)),
            }
            session = compiled(facts, start, start)
        else:
            session = start(None)
        if session.get_providers()[0] != self.provider:
            raise DeviceError(
                f"device {self.device!r} did not start: ONNX Runtime fell back from {self.provider} to"
                f" {session.get_providers()[0]}; `edgevision devices` says what is missing"
            )
        return session

    def _providers(self, metadata: ModelMetadata | None, cache: Path | None = None) -> dict[str, Any]:
        """The provider and what it leaves to others, with their options, as a session takes them."""
        precision = metadata.precision if metadata else Precision.FP32
        chain = provider_chain(
            self.provider, index=self._options.index, precision=precision, static=_is_static(metadata), cache=cache
        )
        names, settings = zip(*chain, strict=True)
        return {"providers": list(names), "provider_options": list(settings)}

    def _start(
        self,
        path: Path,
        metadata: ModelMetadata | None,
        settings: Mapping[str, str] | None = None,
        devices: Iterable[Any] = (),
        device_options: Mapping[str, str] | None = None,
        **providers: Any,
    ) -> Any:
        """A session for ``path``, with ``settings`` of its own; on ``devices`` of a plug-in or on ``providers``."""
        options = self._session_options(metadata, settings or {})
        try:
            if devices:
                options.add_provider_for_devices(list(devices), dict(device_options or {}))
            return self._session_of(path, options, **providers)
        except Exception as error:  # each failure has a class of its own that shares no base but Exception
            raise self._load_error(error) from error

    def _flushed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return denormals_as_zero(function) if self._options.flush_denormals else function

    def _session_of(self, path: Path, options: Any, **providers: Any) -> Any:
        # What is computed while loading may be denormal, too; and the thread that loads is to be left as it was.
        create = self._flushed(self._runtime.InferenceSession)
        if not is_encrypted(path):
            return create(str(path), options, **providers)
        from edgevision.modelfiles.encrypted_model import read_encrypted

        contents = read_encrypted(path)
        names, buffers = list(contents.beside), list(contents.beside.values())
        # ONNX Runtime keeps no reference to the buffers, which have to live until the session is made.
        options.add_external_initializers_from_files_in_memory(names, buffers, list(map(len, buffers)))
        return create(contents.model, options, **providers)

    def _session_options(self, metadata: ModelMetadata | None, settings: Mapping[str, str]) -> Any:
        options = self._runtime.SessionOptions()
        options.log_severity_level = log_severity()
        if self._options.threads is not None:
            options.intra_op_num_threads = self._options.threads
        options.enable_cpu_mem_arena = self._options.keep_memory
        # Without the arena, buffers that are planned to be used again stay until then: 1.5 times the memory.
        options.enable_mem_reuse = self._options.keep_memory
        denormal_as_zero = str(int(self._options.flush_denormals))
        entries = {
            "session.record_ep_graph_assignment_info": "1",
            "session.set_denormal_as_zero": denormal_as_zero,
        } | dict(settings)
        if self._options.inference_precision is InferencePrecision.BF16:
            entries["mlas.enable_gemm_fastmath_arm64_bfloat16"] = "1"
        if not _is_exact_in_int8(metadata):
            # On CPUs weights of s8 become u8, whose kernels add in 32 bits. With AMX, which does so anyway, those take
            # five times as long.
            entries["session.x64quantprecision"] = "1"
        if self.provider != CPU and not self._options.allow_fallback and not self._tells_assignment():
            # Without this the CPU takes over in silence what the device cannot do.
            entries["session.disable_cpu_ep_fallback"] = "1"
        for name, value in entries.items():
            options.add_session_config_entry(name, value)
        for name, size in self._free_dimensions().items():
            options.add_free_dimension_override_by_name(name, size)
        return options

    def _load_error(self, error: Exception) -> InputError | DeviceError:
        reason, file = first_line(error), self._path.name
        if "disable_cpu_ep_fallback" in str(error):
            return DeviceError(
                f"{self.device} cannot run all of {file!r}, --allow-fallback lets the CPU do the rest: {reason}"
            )
        if self._options.shapes and (operator := unfit_operator(error)):
            return unfit_inside(self._options.shapes, operator)
        if self.provider == CPU:
            return ModelFileError(f"{str(self._path)!r} cannot be loaded by ONNX Runtime: {reason}")
        return DeviceError(f"{self.provider} on {self.device} cannot load {file!r}: {reason}{self._advice()}")

    def _advice(self) -> str:
        """What to do where an NPU does not load the file."""
        if not self.device.startswith("npu"):
            return ""
        metadata = read_metadata(self._path)
        if metadata is not None and metadata.precision is Precision.INT8:
            return "; it is int8 already, and the NPU's own compiler fails on it: --device cpu runs it"
        return "; NPUs want int8: edgevision export --int8 --target"

    def _free_dimensions(self) -> dict[str, int]:
        """The sizes asked for, by the names that the file gives its dynamic axes."""
        if not self._options.shapes:
            return {}
        return {
            side: size
            for spec in read_graph(self._path).inputs
            for side, size in zip(spec.shape, self._options.shapes[spec.name], strict=True)
            if isinstance(side, str)
        }

    def _tells_assignment(self) -> bool:
        # Since ONNX Runtime 1.24.
        return hasattr(self._runtime.InferenceSession, "get_provider_graph_assignment_info")

    def _assigned(self, session: Any) -> Assignment:
        device = self.device.split(":")[0]
        if not self._tells_assignment():
            return Assignment.of(device, ())
        devices = _DEVICES | {self.provider: device}
        return Assignment.of(
            device,
            (
                (devices.get(part.ep_name, part.ep_name), node.op_type)
                for part in session.get_provider_graph_assignment_info()
                for node in part.get_nodes()
            ),
        )

    def _bound(self) -> Callable[[Mapping[str, Array]], list[Array]] | None:
        """How to run with fixed buffers on a GPU, where every shape is known."""
        specs = (*self.inputs, *self.outputs)
        if self.provider not in (CUDA, TENSORRT) or any(isinstance(side, str) for spec in specs for side in spec.shape):
            return None
        return IoBinding(self._runtime, self._session, "cuda", self._options.index, self.inputs, self.outputs).run

    def _cache_facts(self) -> dict[str, str]:
        """What a compiled model depends on, but for the driver and the device."""
        import json

        return {
            "model": model_hash(self._path),
            "engine": self.name,
            "provider": self.provider,
            "shapes": json.dumps(dict(self._options.shapes), sort_keys=True),
            "fallback": str(self._options.allow_fallback),
        }


def _is_exact_in_int8(metadata: ModelMetadata | None) -> bool:
    """Whether the int8 arithmetic of this CPU is exact for a model: by itself, or because the model was made for it."""
    return (metadata is not None and metadata.target == "x86-avx2") or not Machine.this().int8_sums_saturate


def _is_static(metadata: ModelMetadata | None) -> bool:
    # Without metadata nothing is known to be fixed.
    return metadata is not None and all(map(_is_fixed, metadata.inputs))


def _is_fixed(spec: TensorSpec) -> bool:
    return all(isinstance(side, int) for side in spec.shape)


def _with_batch(spec: TensorSpec, count: int) -> TensorSpec:
    """``spec`` of so many samples, where their number is not fixed."""
    return spec.updated(shape=(count, *spec.shape[1:])) if spec.shape and isinstance(spec.shape[0], str) else spec


def _closed(given: Any) -> Any:
    raise RuntimeError("the engine is closed")


def _spec(node: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else str(size or "?") for size in node.shape)
    return TensorSpec(name=node.name, shape=shape, dtype=_DTYPES.get(node.type, node.type))
