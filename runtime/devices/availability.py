"""Whether a device is there, and if not, why: asked of the engine, the plug-in or the driver, never guessed."""

from importlib.util import find_spec
from pathlib import Path

from edgevision.core.errors import EdgevisionError
from edgevision.runtime.devices.backends import DeviceBackend

# Where Linux says what board it runs on, as in rockchip,rk3588.
_BOARD = Path("/proc/device-tree/compatible")


def unavailable_reason(backend: DeviceBackend, index: int = 0, *, simulators: bool = False) -> str | None:
    """Why the device of that ``index`` cannot be used, or ``None`` where it can.

    A simulator of a device counts only with ``simulators``, where the user named it exactly: it is slow and for tests.
    """
    try:
        if find_spec(backend.engine.package) is None:
            return f"{backend.engine.package} is not installed"
        return _REASONS[backend.engine.name](backend, index, simulators)
    except (ImportError, EdgevisionError) as error:
        return f"{backend.engine.package} is broken: {error}"


def _of_onnx_runtime(backend: DeviceBackend, index: int, simulators: bool) -> str | None:
    from edgevision.runtime.engines.onnx_runtime_library import import_onnx_runtime

    if backend.device != "cpu":
        from edgevision.runtime.engines import cuda_driver

        reason = cuda_driver.unavailable_reason(index)
        if reason is not None:
            return reason
    runtime = import_onnx_runtime()
    # Azure's provider calls a web service; it is no device of this machine.
    present = [name for name in runtime.get_available_providers() if name != "AzureExecutionProvider"]
    if backend.provider not in present:
        return f"onnxruntime {runtime.__version__} offers only {', '.join(present)}"
    return None if backend.device != "cpu" else _of_cpu(backend, index, simulators)


def _of_cpu(backend: DeviceBackend, index: int, simulators: bool) -> str | None:
    return None if index == 0 else "there is one CPU, number 0"


def _of_openvino(backend: DeviceBackend, index: int, simulators: bool) -> str | None:
    from edgevision.runtime.engines.openvino_engine import device_name, openvino_core

    core = openvino_core()
    if device_name(core, backend.provider, index) is not None:
        return None
    return f"OpenVINO sees only {', '.join(core.available_devices) or 'no device'}"


def _of_plugin(backend: DeviceBackend, index: int, simulators: bool) -> str | None:
    from edgevision.runtime.engines.onnx_runtime_plugins import OPENVINO, QNN

    plugin = next(plugin for plugin in (QNN, OPENVINO) if plugin.package == backend.engine.package)
    if len(plugin.devices(backend.provider)) > index:
        return None
    simulated = len(plugin.simulators())
    if simulators and simulated > index:
        return None
    hint = f"; its simulator, for tests, is --device {backend.name}" if simulated else ""
    return f"{plugin.distribution} finds no {plugin.maker} {backend.provider}{hint}"


def _of_rockchip(backend: DeviceBackend, index: int, simulators: bool) -> str | None:
    if index:
        return "there is one Rockchip NPU, number 0"
    if not _BOARD.is_file() or b"rockchip" not in _BOARD.read_bytes():
        return "this is no board with a Rockchip NPU"
    return None


_REASONS = {
    "ort": _of_onnx_runtime,
    "openvino": _of_openvino,
    "litert": _of_cpu,
    "ncnn": _of_cpu,
    "rknn": _of_rockchip,
    "qnn": _of_plugin,
    "ort-openvino": _of_plugin,
}
