"""The one table from a device's name (cpu, cuda, npu) to the engines that run on it and what they call it."""

import re
from dataclasses import dataclass
from typing import Any

from edgevision.core.errors import DeviceError
from edgevision.core.installation import install_command, pip_command
from edgevision.modelfiles.model_file import ModelFormat


@dataclass(frozen=True, eq=False, repr=False)
class EngineKind:
    """What runs models: the user's ``name`` for it, its ``package``, its class as ``module:class``, its files."""

    name: str
    package: str
    loader: str
    formats: tuple[ModelFormat, ...]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DeviceBackend:
    """One engine on one kind of device.

    Attributes:
        device: the name that users give it, as in ``npu``.
        provider: what the engine calls the device.
        precisions: those that are computed as such.
        dynamic: whether it takes models with dynamic axes.
        extra: of edgevision, with which it comes, in place of the package that it ``replaces``, if any.
        also_needs: what else it takes, as the end of a sentence.
    """

    device: str
    engine: EngineKind
    provider: str
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8")
    dynamic: bool = True
    extra: str
    replaces: str | None = None
    also_needs: str = ""

    @property
    def name(self) -> str:
        """The exact name, as in ``openvino:npu``."""
        return f"{self.engine.name}:{self.device}"

    @property
    def remedy(self) -> str:
        """What makes it available."""
        first = f"{pip_command(f'uninstall {self.replaces}')}; " if self.replaces else ""
        return f"{first}{install_command(self.extra)}{self.also_needs}"


_ENGINES = "edgevision.runtime.engines"
_ONNX = (ModelFormat.ONNX,)
_BOTH = (ModelFormat.OPENVINO, ModelFormat.ONNX)
_ORT = EngineKind("ort", "onnxruntime", f"{_ENGINES}.onnx_runtime:OnnxRuntimeEngine", _ONNX)
_OPENVINO = EngineKind("openvino", "openvino", f"{_ENGINES}.openvino_engine:OpenVinoEngine", _BOTH)
_QNN = EngineKind("qnn", "onnxruntime_qnn", f"{_ENGINES}.onnx_runtime_plugins:QnnEngine", _ONNX)
_ORT_OPENVINO = EngineKind(
    "ort-openvino", "onnxruntime_ep_openvino", f"{_ENGINES}.onnx_runtime_plugins:OpenVinoPluginEngine", _ONNX
)
_LITERT = EngineKind("litert", "ai_edge_litert", f"{_ENGINES}.litert_engine:LiteRtEngine", (ModelFormat.TFLITE,))
_NCNN = EngineKind("ncnn", "ncnn", f"{_ENGINES}.ncnn_engine:NcnnEngine", (ModelFormat.NCNN,))
_RKNN = EngineKind("rknn", "rknnlite", f"{_ENGINES}.rknn_engine:RknnEngine", (ModelFormat.RKNN,))
_FLOAT, _HALF = ("fp32", "fp16"), ("fp16", "int8")
_NVIDIA = ", with an NVIDIA driver"
_TENSORRT = f"{_NVIDIA} and TensorRT (package tensorrt; on a Jetson it is part of JetPack)"
_INTEL_GPU = ", with an Intel GPU and its compute runtime (intel-opencl-icd)"
_INTEL_NPU = ", with an Intel Core Ultra and its driver (github.com/intel/linux-npu-driver)"
_GPU: dict[str, Any] = {"extra": "gpu", "replaces": "onnxruntime"}
_NPU: dict[str, Any] = {"device": "npu", "provider": "NPU", "precisions": _HALF, "dynamic": False}

BACKENDS: tuple[DeviceBackend, ...] = (
    DeviceBackend(device="cpu", engine=_ORT, provider="CPUExecutionProvider", extra="cpu"),
    DeviceBackend(device="cpu", engine=_OPENVINO, provider="CPU", extra="openvino"),
    DeviceBackend(device="cpu", engine=_LITERT, provider="XNNPACK", dynamic=False, extra="tflite"),
    DeviceBackend(device="cpu", engine=_NCNN, provider="CPU", dynamic=False, extra="ncnn"),
    DeviceBackend(
        device="cuda", engine=_ORT, provider="CUDAExecutionProvider", precisions=_FLOAT, **_GPU, also_needs=_NVIDIA
    ),
    DeviceBackend(device="tensorrt", engine=_ORT, provider="TensorrtExecutionProvider", **_GPU, also_needs=_TENSORRT),
    DeviceBackend(
        device="gpu", engine=_ORT, provider="CUDAExecutionProvider", precisions=_FLOAT, **_GPU, also_needs=_NVIDIA
    ),
    DeviceBackend(device="gpu", engine=_OPENVINO, provider="GPU", extra="openvino", also_needs=_INTEL_GPU),
    DeviceBackend(device="gpu", engine=_ORT_OPENVINO, provider="GPU", extra="openvino-plugin", also_needs=_INTEL_GPU),
    DeviceBackend(**_NPU, engine=_OPENVINO, extra="openvino", also_needs=_INTEL_NPU),
    DeviceBackend(**_NPU, engine=_QNN, extra="qnn", also_needs=", on a Snapdragon"),
    DeviceBackend(**_NPU, engine=_RKNN, extra="rknn", also_needs=", on a board with a Rockchip NPU"),
    DeviceBackend(**_NPU, engine=_ORT_OPENVINO, extra="openvino-plugin", also_needs=_INTEL_NPU),
)
"""In the order in which they are tried for a device."""

_NUMBER = re.compile(r"[0-9]{1,4}")


def find_backends(device: str) -> tuple[tuple[DeviceBackend, ...], int]:
    """The backends of that ``device``, in order, and which of several devices is meant.

    Raises:
        DeviceError: there is no such device.
    """
    name, _, number = device.rpartition(":")
    if not (name and _NUMBER.fullmatch(number)):
        name, number = device, "0"
    backends = tuple(backend for backend in BACKENDS if name in (backend.device, backend.name))
    if not backends:
        known = dict.fromkeys(backend.device for backend in BACKENDS)
        exact = dict.fromkeys(backend.engine.name for backend in BACKENDS)
        raise DeviceError(
            f"there is no device {device!r}; known: auto, {', '.join(known)}, with :N for one of several, and exactly"
            f" as in openvino:npu with one of {', '.join(exact)}"
        )
    return backends, int(number)
