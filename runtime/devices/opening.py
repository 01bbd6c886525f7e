"""The one table from the words a user knows (cpu, cuda, npu) to engines and what they call their devices."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from edgevision.core.errors import DeviceError
from edgevision.core.installation import install_command, pip_command
from edgevision.modelfiles.model_file import ModelFormat, check_model_file, read_metadata
from edgevision.runtime.engines.engine import Engine, EngineOptions

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, repr=False)
class EngineKind:
    """What runs models: the user's ``name`` for it, its ``package``, its class as ``module:class``, its files."""

    name: str
    package: str
    loader: str
    formats: tuple[ModelFormat, ...]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Way:
    """One way from a ``word`` to a device.

    Attributes:
        provider: what the engine calls the device.
        precisions: those that are computed as such.
        dynamic: whether sides of a model may stay open.
        extra: of edgevision, with which it comes, in place of the package that it ``replaces``, if any.
        besides: what else it takes.
    """

    word: str
    engine: EngineKind
    provider: str
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8")
    dynamic: bool = True
    extra: str
    replaces: str | None = None
    besides: str = ""

    @property
    def name(self) -> str:
        """The exact word, as in ``openvino:npu``."""
        return f"{self.engine.name}:{self.word}"

    @property
    def remedy(self) -> str:
        """What makes it available."""
        first = f"{pip_command(f'uninstall {self.replaces}')}; " if self.replaces else ""
        return f"{first}{install_command(self.extra)}{self.besides}"


_ENGINES = "edgevision.runtime.engines"
_ONNX = (ModelFormat.ONNX,)
_BOTH = (ModelFormat.OPENVINO, ModelFormat.ONNX)
_ORT = EngineKind("ort", "onnxruntime", f"{_ENGINES}.onnx_runtime:OnnxRuntimeEngine", _ONNX)
_OPENVINO = EngineKind("openvino", "openvino", f"{_ENGINES}.openvino_engine:OpenVinoEngine", _BOTH)
_QNN = EngineKind("qnn", "onnxruntime_qnn", f"{_ENGINES}.plugin_engines:QnnEngine", _ONNX)
_ORT_OPENVINO = EngineKind(
    "ort-openvino", "onnxruntime_ep_openvino", f"{_ENGINES}.plugin_engines:OpenVinoPluginEngine", _ONNX
)
_FLOAT, _HALF = ("fp32", "fp16"), ("fp16", "int8")
_NVIDIA = ", with an NVIDIA driver"
_TENSORRT = f"{_NVIDIA} and TensorRT (package tensorrt; on a Jetson it is part of JetPack)"
_INTEL_GPU = ", with an Intel GPU and its compute runtime (intel-opencl-icd)"
_INTEL_NPU = ", with an Intel Core Ultra and its driver (github.com/intel/linux-npu-driver)"
_GPU: dict[str, Any] = {"extra": "gpu", "replaces": "onnxruntime"}
_NPU: dict[str, Any] = {"word": "npu", "provider": "NPU", "precisions": _HALF, "dynamic": False}

WAYS: tuple[Way, ...] = (
    Way(word="cpu", engine=_ORT, provider="CPUExecutionProvider", extra="cpu"),
    Way(word="cpu", engine=_OPENVINO, provider="CPU", extra="openvino"),
    Way(word="cuda", engine=_ORT, provider="CUDAExecutionProvider", precisions=_FLOAT, **_GPU, besides=_NVIDIA),
    Way(word="tensorrt", engine=_ORT, provider="TensorrtExecutionProvider", **_GPU, besides=_TENSORRT),
    Way(word="gpu", engine=_ORT, provider="CUDAExecutionProvider", precisions=_FLOAT, **_GPU, besides=_NVIDIA),
    Way(word="gpu", engine=_OPENVINO, provider="GPU", extra="openvino", besides=_INTEL_GPU),
    Way(word="gpu", engine=_ORT_OPENVINO, provider="GPU", extra="openvino-plugin", besides=_INTEL_GPU),
    Way(**_NPU, engine=_OPENVINO, extra="openvino", besides=_INTEL_NPU),
    Way(**_NPU, engine=_QNN, extra="qnn", besides=", on a Snapdragon"),
    Way(**_NPU, engine=_ORT_OPENVINO, extra="openvino-plugin", besides=_INTEL_NPU),
)
"""In the order in which they are tried for a word."""

_NUMBER = re.compile(r"[0-9]{1,4}")

_MADE_FOR = {"intel-npu": "openvino:npu", "qualcomm-htp": "qnn:npu"}
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
) -> Engine:
    """Load a model file on the device of that name, or fail: nothing is run elsewhere in silence.

    Args:
        device: ``cpu``, ``cuda``, ``tensorrt``, ``gpu``, ``npu``; with ``:N`` the one of that number; exact as in
            ``openvino:npu``; or ``auto``.
        allow_fallback: what the device cannot do runs on the CPU; the engine's ``assignment`` says what.
        keep_memory: without it an engine that can gives its buffers back after each inference.
        cache: what is compiled for the device is kept for the next start.
        tile: side of the tiles, for a device that needs it fixed and a model that leaves it open.
        shapes: the full shape of every input, if it is only ever to run these: OpenVINO is faster so.

    Raises:
        ModelFileError: missing, damaged or not a model.
        DeviceError: an unknown device, one that is not there, or one that cannot run this model.
    """
    kind = check_model_file(path)
    if device == "auto":
        way, index = _chosen_for(path, kind), 0
    else:
        ways, index = find_ways(device)
        way = _present(ways, index, kind, path, device)
    if shapes is None and not way.dynamic:
        from edgevision.runtime.engines.static_shapes import static_shapes

        shapes = static_shapes(path, device, tile=tile)
    options = EngineOptions(
        index=index,
        threads=threads,
        keep_memory=keep_memory,
        allow_fallback=allow_fallback,
        cache=cache,
        shapes=shapes or {},
    )
    module, name = way.engine.loader.split(":")
    load: Callable[[Path, str, str, EngineOptions], Engine] = getattr(import_module(module), name)
    return load(path, way.provider, f"{way.word}:{index}" if index else way.word, options)


def find_ways(device: str) -> tuple[tuple[Way, ...], int]:
    """The ways that ``device`` allows, in order, and which of several devices is meant.

    Raises:
        DeviceError: there is no such device.
    """
    words, _, number = device.rpartition(":")
    if not (words and _NUMBER.fullmatch(number)):
        words, number = device, "0"
    ways = tuple(way for way in WAYS if words in (way.word, way.name))
    if not ways:
        known = dict.fromkeys(way.word for way in WAYS)
        exact = dict.fromkeys(way.engine.name for way in WAYS)
        raise DeviceError(
            f"there is no device {device!r}; known: auto, {', '.join(known)}, with :N for one of several, and exactly"
            f" as in openvino:npu with one of {', '.join(exact)}"
        )
    return ways, int(number)


def _present(ways: Sequence[Way], index: int, kind: ModelFormat, path: Path, device: str) -> Way:
    """The first of ``ways`` that reads the file and is there."""
    fitting = [way for way in ways if kind in way.engine.formats]
    if not fitting:
        others = ", ".join(way.name for way in WAYS if kind in way.engine.formats)
        raise DeviceError(f"{path.suffix} models run on {others}, not on {device!r}; export the other format")
    way, reasons = _first_there(fitting, index, exact=len(ways) == 1)
    if way is not None:
        return way
    remedy = f"to have it: {fitting[0].remedy}"
    if len(fitting) > 1:
        remedy += "; `edgevision devices` names the other ways"
    raise DeviceError(f"there is no {device!r} here for {path.name!r}: {'; '.join(reasons.values())}\n{remedy}")


def _chosen_for(path: Path, kind: ModelFormat) -> Way:
    """What ``auto`` takes: the NPU that the model was made for, else an NVIDIA GPU, else the CPU."""
    metadata = read_metadata(path)
    made_for = _MADE_FOR.get(metadata.target or "") if metadata else None
    words = filter(None, (made_for, "cuda", "cpu"))
    ways = [way for word in words for way in find_ways(word)[0] if kind in way.engine.formats]
    way, reasons = _first_there(ways, 0, exact=False)
    missing = [f"{name}: {reason}" for name, reason in reasons.items()]
    if way is None:
        raise DeviceError(f"nothing here runs {path.name!r}: {'; '.join(missing)}")
    _log.info("auto takes %s for %s%s", way.name, path.name, "".join(f"; no {text}" for text in missing))
    return way


def _first_there(ways: Iterable[Way], index: int, *, exact: bool) -> tuple[Way | None, dict[str, str]]:
    """The first way whose device is there, and why those before it are not, by name."""
    from edgevision.runtime.devices.availability import absence

    reasons: dict[str, str] = {}
    for way in ways:
        reason = absence(way, index, exact=exact)
        if reason is None:
            return way, reasons
        reasons[way.name] = reason
    return None, reasons
