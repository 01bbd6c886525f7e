"""Execution providers that are packages of their own and join ONNX Runtime when it runs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from edgevision.core.errors import DeviceError
from edgevision.core.extras import brought_by
from edgevision.core.installation import pip_command
from edgevision.runtime.engines.onnx_runtime import first_line, import_onnx_runtime


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A package with ``get_library_path``; ``extra`` of edgevision brings it as ``distribution``.

    ``simulator`` is the kind of hardware as which it presents a simulation of the ``maker``'s chip.
    """

    name: str
    package: str
    distribution: str
    extra: str
    maker: str
    simulator: str | None = None

    def version(self) -> str | None:
        """The installed one."""
        return version(self.distribution) if find_spec(self.package) else None

    def devices(self, kind: str) -> list[Any]:
        """ONNX Runtime's devices of hardware ``kind`` (CPU, GPU, NPU) that this provider can use.

        Raises:
            MissingExtraError: the package, or ONNX Runtime, is not installed.
            DeviceError: the library cannot be loaded.
        """
        self._register()
        found = import_onnx_runtime().get_ep_devices()
        return [device for device in found if device.ep_name == self.name and device.device.type.name == kind]

    def simulators(self) -> list[Any]:
        """As :meth:`devices`, of what is only simulated."""
        return self.devices(self.simulator) if self.simulator else []

    def module(self) -> Any:
        """The plug-in's Python package; raises :class:`MissingExtraError` without it."""
        with brought_by(self.extra):
            return import_module(self.package)

    def _register(self) -> None:
        runtime, module = import_onnx_runtime(), self.module()
        if self.name in _REGISTERED:
            return
        if not hasattr(runtime, "register_execution_provider_library"):
            raise DeviceError(
                f"ONNX Runtime {runtime.__version__} takes no plug-ins as {self.distribution};"
                f" {pip_command('install --upgrade onnxruntime')}"
            )
        try:
            with stdout_to_stderr():
                runtime.register_execution_provider_library(self.name, module.get_library_path())
        except Exception as error:  # ONNX Runtime's failures share no base but Exception
            raise DeviceError(
                f"{self.distribution} {self.version()} cannot be loaded into ONNX Runtime {runtime.__version__}:"
                f" {first_line(error)}; {pip_command(f'install --force-reinstall {self.distribution}')}"
            ) from error
        _REGISTERED.add(self.name)


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """What vendors' libraries print themselves must not mix with results on standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


_REGISTERED: set[str] = set()
"""ONNX Runtime keeps libraries for the life of the process."""


QNN = Plugin(
    name="QNNExecutionProvider",
    package="onnxruntime_qnn",
    distribution="onnxruntime-qnn",
    extra="qnn",
    maker="Qualcomm",
    simulator="CPU",
)
OPENVINO = Plugin(
    name="OpenVINOExecutionProvider",
    package="onnxruntime_ep_openvino",
    distribution="onnxruntime-ep-openvino",
    extra="openvino-plugin",
    maker="Intel",
)
