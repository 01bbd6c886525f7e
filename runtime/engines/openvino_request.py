"""One compiled model of OpenVINO's, and the inputs it reads."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgevision.runtime.engines.denormals import denormals_as_zero
from edgevision.runtime.engines.engine import Array


class OpenVinoRequest:
    """Runs a program, one inference at a time. Several threads need a lock around it."""

    def __init__(self, program: Any, tensor: Any, dtypes: Mapping[str, "np.dtype[Any]"]) -> None:
        """``program`` is the compiled model, ``tensor`` OpenVINO's class; ``dtypes`` are by the inputs' names."""
        self._request: Any = program.create_infer_request()
        self._infer: Any = denormals_as_zero(self._request.infer)
        self._tensor = tensor
        self._dtypes = dict(dtypes)
        self._bound: dict[str, Array] = {}

    def run(self, inputs: Mapping[str, Array], outputs: int) -> list[Array]:
        """The first ``outputs`` of what the program gives; :class:`RuntimeError` of OpenVINO's where it fails."""
        self._bind(inputs)
        # Started and waited for, it would go through another thread, which takes 20 microseconds.
        answers = self._infer(share_outputs=True).values()
        return [answer.copy() for answer, _ in zip(answers, range(outputs), strict=False)]

    def _bind(self, inputs: Mapping[str, Array]) -> None:
        """Let the request read its inputs where they lie."""
        for index, (name, dtype) in enumerate(self._dtypes.items()):
            if name not in inputs:
                raise ValueError(f"the model also takes {name}")
            given = inputs[name]
            # Binding takes OpenVINO some 40 microseconds; an array that it sees already may hold other values.
            if given is not self._bound.get(name):
                array = np.require(given, dtype, ["C", "W"])
                self._request.set_input_tensor(index, self._tensor(array, shared_memory=True))
                self._bound[name] = array
