"""Inputs and outputs that stay at one place in a device's memory, as a captured graph of calls needs them."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np

from edgevision.modelfiles.metadata import TensorSpec
from edgevision.runtime.engines.engine import Array


class DeviceBinding:
    """Buffers for a session whose shapes are all fixed. One copy in, one run, one copy out."""

    def __init__(
        self,
        runtime: Any,
        session: Any,
        device: str,
        index: int,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
    ) -> None:
        """Allocate on ONNX Runtime's ``device`` (``cuda``, ``cpu``) of that ``index``."""
        self._session = session
        self._lock = Lock()
        self._binding = session.io_binding()

        def allocate(spec: TensorSpec) -> Any:
            return runtime.OrtValue.ortvalue_from_shape_and_type(list(spec.shape), np.dtype(spec.dtype), device, index)

        self._specs = {spec.name: spec for spec in inputs}
        self._inputs = {spec.name: allocate(spec) for spec in inputs}
        self._outputs = [allocate(spec) for spec in outputs]
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        for spec, value in zip(outputs, self._outputs, strict=True):
            self._binding.bind_ortvalue_output(spec.name, value)

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """All outputs, copied to the host; :class:`ValueError` for an input that is missing or of another kind."""
        for name, spec in self._specs.items():
            if name not in feeds:
                raise ValueError(f"the input {name!r} is missing")
            if feeds[name].shape != spec.shape or feeds[name].dtype != spec.dtype:
                found = f"{feeds[name].dtype} {feeds[name].shape}"
                raise ValueError(f"the input {name!r} is {spec.dtype} {spec.shape}, not {found}")
        # There is one set of buffers, and several threads may have something to ask.
        with self._lock:
            for name, value in self._inputs.items():
                value.update_inplace(np.ascontiguousarray(feeds[name]))
            self._session.run_with_iobinding(self._binding)
            # Of a CPU's buffer it would be a view, which the next call changes.
            return [np.array(value.numpy()) for value in self._outputs]
