"""Which extras of edgevision a board needs, for the models and devices asked for."""

from collections.abc import Collection

from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.devices.backends import DeviceBackend, find_backends

_OF_ENGINE = {"openvino": "openvino", "qnn": "qnn", "ort-openvino": "openvino-plugin"}
# Snapdragons are ARM, Intel's GPUs and NPUs are not; a name such as npu means the one that can be there.
_ELSEWHERE = {
    "x86_64": ("qnn:npu",),
    "aarch64": ("openvino:gpu", "openvino:npu", "ort-openvino:gpu", "ort-openvino:npu"),
}


def wanted_extras(formats: Collection[ModelFormat], devices: Collection[str], architecture: str) -> tuple[str, ...]:
    """The extras, sorted. What no format runs on is left to the board's own error.

    ``auto`` prepares for the CPU, and finds what else the board's own Python has.

    Raises:
        DeviceError: there is no device of such a name.
    """
    extras = {
        _extra(backend) for kind in formats for device in devices for backend in _first(device, kind, architecture)
    }
    # onnxruntime-gpu holds the CPU provider too, and the two overwrite each other.
    extras -= {"cpu"} if "gpu" in extras else set()
    return tuple(sorted(extras)) or ("cpu",)


def _first(device: str, kind: ModelFormat, architecture: str) -> list[DeviceBackend]:
    backends = find_backends("cpu" if device == "auto" else device)[0]
    fitting = [backend for backend in backends if kind in backend.engine.formats]
    here = [backend for backend in fitting if backend.name not in _ELSEWHERE.get(architecture, ())]
    return (here or fitting)[:1]


def _extra(backend: DeviceBackend) -> str:
    return _OF_ENGINE.get(backend.engine.name, "cpu" if backend.provider == "CPUExecutionProvider" else "gpu")
