"""A network called on one frame after the other, with what it remembers carried from call to call."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.engines.engine import Array, Engine


class CarriedState(NamedTuple):
    """What the model's ``output`` gives is its ``input`` so many calls later, zeros until then."""

    input: str
    output: str
    delay: int = 1


class StateLoop(Protocol):
    """A model whose first input is a frame, and all others states that it remembers."""

    def __call__(self, frames: Array) -> Array:
        """Its first output for the next frame of each stream (N, ...); raises as :meth:`.Engine.run`.

        After a failure it is as if the frame had not come.
        """
        ...


@runtime_checkable
class BindsStates(Protocol):
    """An engine that leaves states where it wrote them."""

    def bind_states(self, states: Sequence[CarriedState], streams: int) -> StateLoop | None:
        """Called on ``streams`` frames at once; ``None`` where sizes are not known before, or are none of these."""
        ...


def open_state_loop(engine: Engine, states: Sequence[CarriedState], streams: int = 1) -> StateLoop:
    """``engine`` on the frames of so many streams in step, from their first ones on."""
    bound = engine.bind_states(states, streams) if isinstance(engine, BindsStates) else None
    return bound or _HandedStates(engine, states, streams)


class _HandedStates:
    """States are given to the engine and taken from it with every frame."""

    def __init__(self, engine: Engine, states: Sequence[CarriedState], streams: int) -> None:
        self._engine = engine
        by_input, outputs = {state.input: state for state in states}, [one.name for one in engine.outputs]
        # In the order of the model's inputs: what waits, the oldest first, and which output comes behind it.
        self._waiting: list[tuple[deque[Array], int]] = []
        for spec in engine.inputs[1:]:
            zeros = np.zeros((streams, *map(int, spec.shape[1:])), spec.dtype)
            state = by_input[spec.name]
            self._waiting.append((deque([zeros] * state.delay, maxlen=state.delay), outputs.index(state.output)))

    def __call__(self, frames: Array) -> Array:
        outputs = run_batched(self._engine, [frames, *(waiting[0] for waiting, _ in self._waiting)])
        for waiting, place in self._waiting:
            waiting.append(outputs[place])  # which pushes the oldest out
        return outputs[0]
