"""Opening a model on a device, or failing: nothing is run elsewhere in silence."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from edgevision.core.errors import DeviceError
from edgevision.core.lazy_objects import load_object
from edgevision.modelfiles.measured_engine import InferencePrecision, MeasuredEngine
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.model_file import ModelFormat, check_model_file, is_encrypted, read_graph, read_metadata
from edgevision.runtime.devices import availability
from edgevision.runtime.devices.backends import BACKENDS, DeviceBackend, find_backends
from edgevision.runtime.devices.engine_preference import measured_first, precision_in
from edgevision.runtime.engines.engine import Engine, EngineOptions

_log = logging.getLogger(__name__)


_MADE_FOR = {"intel-npu": "openvino:npu", "qualcomm-htp": "qnn:npu", "rk3588": "rknn:npu"}
"""Targets of int8 models for which ``auto`` tries more than cuda and cpu."""


def open_engine(
    path: Path,
    device: str = "cpu",
    *,
    threads: int | None = None,
    keep_memory: bool = True,
    allow_fallback: bool = False,
    cache: bool = False,
    tile: int | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    flush_denormals: bool = True,
    inference_precision: InferencePrecision | None = None,
) -> Engine:
    """Load a model file on the device of that name.

    Args:
        device: ``cpu``, ``cuda``, ``tensorrt``, ``gpu``, ``npu``; with ``:N`` the one of that number; exact as in
            ``openvino:npu``; or ``auto``. On a CPU the model's own engine is taken, if it names one.
        allow_fallback: what the device cannot do runs on the CPU; the engine's ``assignment`` says what.
        keep_memory: without it an engine that can gives its buffers back after each inference.
        cache: what is compiled for the device is kept for the next start, unless the model is encrypted.
        tile: side of the tiles, for a device that takes no dynamic axes and a model that has them.
        shapes: the full shape of every input, if it is only ever to run these: OpenVINO is faster so.
        flush_denormals: without it ONNX Runtime computes with denormal numbers, as it does by itself.
        inference_precision: what a CPU computes float operators in; by default what the model was judged with there.

    Raises:
        ModelFileError: missing, damaged or not a model.
        DeviceError: an unknown device, one that is not there, or one that cannot run this model.
    """
    kind = check_model_file(path)
    metadata = read_metadata(path)
    measured = metadata.measured_in if metadata else None
    if device == "auto":
        backend, index = _automatic(path, kind, metadata), 0
    else:
        backends, index = find_backends(device)
        backend = _available(backends, index, kind, path, device, measured)
    if shapes is None and not backend.dynamic:
        shapes = static_shapes(path, device, tile=tile)
    options = EngineOptions(
        index=index,
        threads=threads,
        keep_memory=keep_memory,
        allow_fallback=allow_fallback,
        # What is compiled holds the weights, and would lie on the disk.
        cache=cache and not is_encrypted(path),
        shapes=shapes or {},
        flush_denormals=flush_denormals,
        inference_precision=inference_precision or precision_in(backend, measured),
    )
    load: Callable[[Path, str, str, EngineOptions], Engine] = load_object(backend.engine.loader)
    return load(path, backend.provider, f"{backend.device}:{index}" if index else backend.device, options)


def cpu_engines(path: Path) -> tuple[str, ...]:
    """The exact devices of all engines that are installed and run the model on the CPU; ``cpu`` where that is one.

    Raises:
        ModelFileError: missing, damaged or not a model.
    """
    kind = check_model_file(path)
    there = [
        backend.name
        for backend in find_backends("cpu")[0]
        if kind in backend.engine.formats and availability.unavailable_reason(backend) is None
    ]
    return tuple(there) if len(there) > 1 else ("cpu",)


def static_shapes(path: Path, device: str, *, tile: int | None = None) -> dict[str, tuple[int, ...]]:
    """One shape for every input with dynamic axes: single samples, of the size that the metadata advises.

    That is the picture's size of a model that has one, otherwise a square tile of ``tile`` pixels or of the advised
    side. Empty where the file has no dynamic axes.

    Raises:
        DeviceError: an axis is dynamic for which nothing is advised.
    """
    inputs = read_graph(path).inputs
    if all(isinstance(side, int) for spec in inputs for side in spec.shape):
        return {}
    metadata = read_metadata(path)
    return {spec.name: _fixed(spec, metadata, path, device, tile) for spec in inputs}


def _available(
    backends: Sequence[DeviceBackend],
    index: int,
    kind: ModelFormat,
    path: Path,
    device: str,
    measured: MeasuredEngine | None,
) -> DeviceBackend:
    """The first of ``backends`` that reads the file and whose device is there."""
    fitting: Sequence[DeviceBackend] = [backend for backend in backends if kind in backend.engine.formats]
    if not fitting:
        others = ", ".join(backend.name for backend in BACKENDS if kind in backend.engine.formats)
        raise DeviceError(f"{path.suffix} models run on {others}, not on {device!r}; export the other format")
    if fitting[0].device == "cpu":
        fitting = measured_first(fitting, measured, path.name)
    backend, reasons = _first_available(fitting, index, simulators=len(backends) == 1)
    if backend is not None:
        return backend
    remedy = f"to have it: {fitting[0].remedy}"
    if len(fitting) > 1:
        remedy += "; `edgevision devices` names the other engines"
    raise DeviceError(f"there is no {device!r} here for {path.name!r}: {'; '.join(reasons.values())}\n{remedy}")


def _automatic(path: Path, kind: ModelFormat, metadata: ModelMetadata | None) -> DeviceBackend:
    """What ``auto`` takes: the NPU that the model was made for, else an NVIDIA GPU, else the CPU."""
    made_for = _MADE_FOR.get(metadata.target or "") if metadata else None
    reasons: dict[str, str] = {}
    for device in filter(None, (made_for, "cuda", "cpu")):
        fitting: Sequence[DeviceBackend] = [one for one in find_backends(device)[0] if kind in one.engine.formats]
        if device == "cpu":
            fitting = measured_first(fitting, metadata.measured_in if metadata else None, path.name)
        backend, more = _first_available(fitting, 0, simulators=False)
        reasons |= more
        if backend is not None:
            break
    missing = [f"{name}: {reason}" for name, reason in reasons.items()]
    if backend is None:
        raise DeviceError(f"nothing here runs {path.name!r}: {'; '.join(missing)}")
    _log.info("auto takes %s for %s%s", backend.name, path.name, "".join(f"; no {text}" for text in missing))
    return backend


def _first_available(
    backends: Iterable[DeviceBackend], index: int, *, simulators: bool
) -> tuple[DeviceBackend | None, dict[str, str]]:
    """The first backend whose device is there, and why those before it are not, by name."""
    reasons: dict[str, str] = {}
    for backend in backends:
        reason = availability.unavailable_reason(backend, index, simulators=simulators)
        if reason is None:
            return backend, reasons
        reasons[backend.name] = reason
    return None, reasons


def _fixed(
    spec: TensorSpec, metadata: ModelMetadata | None, path: Path, device: str, tile: int | None
) -> tuple[int, ...]:
    advised: dict[int, int] = {0: 1}
    if metadata is not None and metadata.image is not None and metadata.image.size is not None:
        advised |= dict(zip((2, 3), metadata.image.size, strict=True))
    elif metadata is not None and metadata.tile is not None and metadata.tile.overlap is not None:
        side = tile or metadata.tile.advised_side
        advised |= {2: side, 3: side}
    sides = [side if isinstance(side, int) else advised.get(axis) for axis, side in enumerate(spec.shape)]
    if None in sides:
        raise DeviceError(
            f"{device} takes no dynamic axes, and {spec.name!r} of {path.name!r} is {'x'.join(map(str, spec.shape))};"
            f" export it with --static, e.g. 1x3x224x224"
        )
    return tuple(side for side in sides if side is not None)
