"""An engine made of a function, for tests of everything around an engine."""

from collections.abc import Callable, Mapping

from edgevision.modelfiles.metadata import TensorSpec
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.engine import Array, Closeable


class FakeEngine(Closeable):
    """Its outputs are ``function`` of its inputs; it counts its ``calls`` and knows whether it was ``closed``."""

    name = "fake"
    device = "cpu"
    provider = "FakeProvider"
    assignment = Assignment(nodes={"cpu": {"Fake": 1}})

    def __init__(
        self,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        function: Callable[[Mapping[str, Array]], list[Array]],
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.calls = 0
        self.closed = False
        self._function = function

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        self.calls += 1
        return self._function(inputs)

    def close(self) -> None:
        self.closed = True
