"""States that stay in ONNX Runtime's buffers: one call writes them where a later one reads them.

Of a small network over frames, which computes for 60 microseconds, a call that hands states in and out takes 10 more.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgevision.core.errors import UnfitInputError
from edgevision.modelfiles.metadata import TensorSpec
from edgevision.runtime.engines.engine import Array
from edgevision.runtime.engines.state_loop import CarriedState


class BoundStates:
    """The buffers of a session on the CPU, and a binding of them for each place in the ring of the states.

    With a ring of one place more than the longest delay no call writes what it reads.
    """

    def __init__(
        self,
        runtime: Any,
        session: Any,
        run: Callable[[Any], None],
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        states: Sequence[CarriedState],
    ) -> None:
        """``run`` runs a binding of ``session``; ``inputs`` and ``outputs`` have all their sides known."""
        self._run = run

        def allocate(spec: TensorSpec) -> Any:
            return runtime.OrtValue.ortvalue_from_numpy(np.zeros([int(side) for side in spec.shape], spec.dtype))

        frames, answers = allocate(inputs[0]), allocate(outputs[0])
        # Of a value on the CPU these are views.
        self._frames, self._answers = frames.numpy(), answers.numpy()
        length = 1 + max((state.delay for state in states), default=0)
        specs = {spec.name: spec for spec in inputs}
        rings = {state.input: [allocate(specs[state.input]) for _ in range(length)] for state in states}
        self._bindings = []
        for place in range(length):
            binding = session.io_binding()
            binding.bind_ortvalue_input(inputs[0].name, frames)
            binding.bind_ortvalue_output(outputs[0].name, answers)
            for state in states:
                ring = rings[state.input]
                binding.bind_ortvalue_input(state.input, ring[place - state.delay])
                binding.bind_ortvalue_output(state.output, ring[place])
            self._bindings.append(binding)
        self._calls = 0

    def __call__(self, frames: Array) -> Array:
        if frames.shape != self._frames.shape:
            raise UnfitInputError(f"the model takes frames of {self._frames.shape} here, not of {frames.shape}")
        np.copyto(self._frames, frames)
        self._run(self._bindings[self._calls % len(self._bindings)])
        self._calls += 1
        answers: Array = self._answers.copy()
        return answers
