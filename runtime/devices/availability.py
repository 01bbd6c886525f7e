"""Whether a device is there, and if not, why: asked of the engine, the plug-in or the driver, never guessed."""

from importlib.util import find_spec

from edgevision.core.errors import EdgevisionError
from edgevision.runtime.devices.opening import Way


def absence(way: Way, index: int = 0, *, exact: bool = False) -> str | None:
    """Why the device of that ``index`` cannot be used, or ``None`` where it can.

    A simulator of a device counts only where the user was ``exact``, as it is slow and for tests.
    """
    try:
        if find_spec(way.engine.package) is None:
            return f"{way.engine.package} is not installed"
        return _ASKED[way.engine.name](way, index, exact)
    except (ImportError, EdgevisionError) as error:
        return f"{way.engine.package} is broken: {error}"


def _of_onnx_runtime(way: Way, index: int, exact: bool) -> str | None:
    from edgevision.runtime.engines.onnx_runtime import import_onnx_runtime

    if way.word != "cpu":
        from edgevision.runtime.devices import cuda_driver

        without = cuda_driver.absence(index)
        if without is not None:
            return without
    runtime = import_onnx_runtime()
    # Azure's provider calls a web service; it is no device of this machine.
    present = [name for name in runtime.get_available_providers() if name != "AzureExecutionProvider"]
    if way.provider not in present:
        return f"onnxruntime {runtime.__version__} offers only {', '.join(present)}"
    return None if way.word != "cpu" or index == 0 else "there is one CPU, number 0"


def _of_openvino(way: Way, index: int, exact: bool) -> str | None:
    from edgevision.runtime.engines.openvino_engine import device_name, openvino_core

    core = openvino_core()
    if device_name(core, way.provider, index) is not None:
        return None
    return f"OpenVINO sees only {', '.join(core.available_devices) or 'no device'}"


def _of_plugin(way: Way, index: int, exact: bool) -> str | None:
    from edgevision.runtime.engines.plugins import OPENVINO, QNN

    plugin = next(plugin for plugin in (QNN, OPENVINO) if plugin.package == way.engine.package)
    if len(plugin.devices(way.provider)) > index:
        return None
    simulators = len(plugin.simulators())
    if exact and simulators > index:
        return None
    hint = f"; its simulator, for tests, is --device {way.name}" if simulators else ""
    return f"{plugin.distribution} finds no {plugin.maker} {way.provider}{hint}"


_ASKED = {"ort": _of_onnx_runtime, "openvino": _of_openvino, "qnn": _of_plugin, "ort-openvino": _of_plugin}
