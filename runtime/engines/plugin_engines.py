"""ONNX models on devices that plug-in providers bring: Qualcomm's NPU, Intel's devices through ONNX Runtime."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from edgevision.core.errors import DeviceError
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.compiled_cache import compiled
from edgevision.runtime.engines.onnx_runtime import OnnxRuntimeEngine
from edgevision.runtime.engines.plugins import OPENVINO, QNN, Plugin, stdout_to_stderr


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
