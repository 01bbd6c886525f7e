"""The one table from the words a user knows (cpu, cuda, npu) to engines and what they call their devices."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from edgevision.errors import DeviceError
from edgevision.modelfile import ModelFormat, check_model_file
from edgevision.runtime.engines.engine import Engine


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Door:
    """One way from a word to a device: the ``engine``'s loader, its ``provider``, and what makes it available."""

    engine: str
    loader: str
    provider: str
    remedy: str


_ORT = "edgevision.runtime.engines.onnx_runtime:OnnxRuntimeEngine"
_OPENVINO = "edgevision.runtime.engines.openvino_engine:OpenVinoEngine"
_GPU_WHEEL = "pip uninstall onnxruntime && pip install 'edgevision[gpu]', with an NVIDIA driver"

DOORS: Mapping[ModelFormat, Mapping[str, Door]] = {
    ModelFormat.ONNX: {
        "cpu": Door(
            engine="onnxruntime",
            loader=_ORT,
            provider="CPUExecutionProvider",
            remedy="pip install 'edgevision[cpu]'",
        ),
        "cuda": Door(engine="onnxruntime", loader=_ORT, provider="CUDAExecutionProvider", remedy=_GPU_WHEEL),
        "tensorrt": Door(
            engine="onnxruntime",
            loader=_ORT,
            provider="TensorrtExecutionProvider",
            remedy=f"{_GPU_WHEEL} and TensorRT",
        ),
        "gpu": Door(engine="onnxruntime", loader=_ORT, provider="CUDAExecutionProvider", remedy=_GPU_WHEEL),
    },
    ModelFormat.OPENVINO: {
        "cpu": Door(engine="openvino", loader=_OPENVINO, provider="CPU", remedy="pip install 'edgevision[openvino]'"),
        "gpu": Door(
            engine="openvino",
            loader=_OPENVINO,
            provider="GPU",
            remedy="pip install 'edgevision[openvino]', with an Intel GPU and its compute runtime (intel-opencl-icd)",
        ),
        "npu": Door(
            engine="openvino",
            loader=_OPENVINO,
            provider="NPU",
            remedy="pip install 'edgevision[openvino]', with an Intel Core Ultra and its NPU driver",
        ),
    },
}


def open_engine(path: Path, device: str = "cpu", *, threads: int | None = None, keep_memory: bool = True) -> Engine:
    """Load a model file on the device of that name, or fail: nothing is ever run elsewhere instead.

    Without ``keep_memory`` an engine that can gives its buffers back after each inference.

    Raises:
        ModelFileError: missing, damaged or not a model.
        DeviceError: an unknown device, one that is not there, or one that cannot run this model.
    """
    doors = DOORS[check_model_file(path)]
    if device not in doors:
        known = {word for table in DOORS.values() for word in table}
        if device not in known:
            raise DeviceError(f"there is no device {device!r}; known: {', '.join(sorted(known))}")
        raise DeviceError(f"{path.suffix} models run on {', '.join(doors)}, not on {device!r}; export the other format")
    door = doors[device]
    module, name = door.loader.split(":")
    load: Callable[..., Engine] = getattr(import_module(module), name)
    return load(path, door.provider, device, threads=threads, keep_memory=keep_memory)
