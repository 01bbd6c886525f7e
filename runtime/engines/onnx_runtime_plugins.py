"""Execution providers that are packages of their own and join ONNX Runtime when it runs, and engines on them.

They bring Qualcomm's NPU, and Intel's devices through ONNX Runtime.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from edgevision.core.errors import DeviceError
from edgevision.core.extras import requires_extra
from edgevision.core.installation import pip_command
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.compiled_cache import compiled
from edgevision.runtime.engines.onnx_runtime import OnnxRuntimeEngine
from edgevision.runtime.engines.onnx_runtime_library import first_line, import_onnx_runtime


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
        with requires_extra(self.extra):
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


class PluginEngine(OnnxRuntimeEngine):
    """An ONNX Runtime session on a device of a plug-in; it is made for a kind of hardware (NPU, GPU, CPU)."""

    plugin: ClassVar[Plugin]
    _compiled_from: Assignment | None = None

    def _open(self, metadata: ModelMetadata | None) -> Any:
        kind = self.provider
        devices = self.plugin.devices(kind) or self.plugin.simulators()
        if len(devices) <= self._options.index:
            raise DeviceError(
                f"{self.plugin.distribution} {self.plugin.version()} finds {len(devices) or 'no'} {kind} here, so there"
                f" is no {self.device!r}; `edgevision devices` says what it needs"
            )
        device = devices[self._options.index]
        self.provider = device.ep_name
        simulator = "" if device.device.type.name == kind else " (simulator)"
        self.name += f", {self.plugin.distribution} {self.plugin.version()}{simulator}"
        settings = self._settings()

        def start(path: Path, entries: Mapping[str, str] | None = None) -> Any:
            return self._start(path, metadata, entries, [device], settings)

        def build(folder: Path) -> Any:
            entries = {"ep.context_enable": "1", "ep.context_embed_mode": "1"}
            session = start(self._path, entries | {"ep.context_file_path": str(folder / "context.onnx")})
            # What is compiled is one node to ONNX Runtime; what it was made of is known only now.
            (folder / "assignment.json").write_text(json.dumps(self._assigned(session).to_dict()))
            return session

        def reopen(folder: Path) -> Any:
            self._compiled_from = Assignment.from_dict(json.loads((folder / "assignment.json").read_text()))
            return start(folder / "context.onnx")

        with stdout_to_stderr():
            if not self._options.cache:
                return start(self._path)
            hardware = f"{device.device.vendor} {dict(device.device.metadata)}"
            return compiled(self._cache_facts() | settings | {"hardware": hardware}, build, reopen)

    def _assigned(self, session: Any) -> Assignment:
        return self._compiled_from or super()._assigned(session)

    def _settings(self) -> dict[str, str]:
        """The provider's own options."""
        return {}


class OpenVinoPluginEngine(PluginEngine):
    """Intel's devices."""

    plugin = OPENVINO


class QnnEngine(PluginEngine):
    """The HTP of Qualcomm's chips, or on x86 the simulator of it that the package holds."""

    plugin = QNN

    def _settings(self) -> dict[str, str]:
        return {
            "backend_path": self.plugin.module().get_qnn_htp_path(),
            "htp_performance_mode": "burst",
            "htp_graph_finalization_optimization_mode": "3",
            # Otherwise the CPU converts between float and int8 at both ends.
            "offload_graph_io_quantization": "0",
        }
