"""An engine inside of a pipeline, with a note of when it ran, so that what lies around it can be told apart."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from edgevision.runtime.engines.engine import Array, Engine


class PipelineStages(NamedTuple):
    """What an answer's time was spent on, in ns.

    ``preprocess`` is what came before the first inference, ``infer`` all inferences, ``postprocess`` the rest: what
    lies between tiles, and behind the last inference.
    """

    preprocess: int
    infer: int
    postprocess: int


class WatchedEngine:
    """Stands in the place of a pipeline's ``engine``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._first = self._inside = 0

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """As the engine's."""
        start = time.perf_counter_ns()
        outputs = self._engine.run(inputs)
        self._inside += time.perf_counter_ns() - start
        self._first = self._first or start
        return outputs

    def stages(self, ready: int, done: int) -> PipelineStages:
        """Of the answer that was begun at ``ready`` and there at ``done``, by :func:`time.perf_counter_ns`.

        Begins anew for the next one.
        """
        before, inside = (self._first or done) - ready, self._inside
        self._first = self._inside = 0
        return PipelineStages(before, inside, done - ready - before - inside)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)
