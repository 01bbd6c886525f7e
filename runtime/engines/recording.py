"""What a pipeline gives its network, kept."""

from collections.abc import Mapping

import numpy as np

from edgevision.runtime.engines.engine import Array, Closeable, Engine


class RecordingEngine(Closeable):
    """An engine that keeps what it is given: what a pipeline makes of data is what a network meets.

    Attributes:
        batches: an array for each input, of every call.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.device, self.provider = engine.name, engine.device, engine.provider
        self.assignment = engine.assignment
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self.batches: list[tuple[Array, ...]] = []

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """All outputs; raises as :meth:`edgevision.runtime.engines.engine.Engine.run`."""
        self.batches.append(tuple(np.array(inputs[spec.name]) for spec in self.inputs))
        return self._engine.run(inputs)

    def close(self) -> None:
        """The engine is the caller's."""
