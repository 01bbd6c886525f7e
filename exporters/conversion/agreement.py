"""Whether a graph computes what its network does, also for sizes and values unlike those it was made with."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from edgevision.exporters.analysis.picture_sizes import Examples

Answers = Sequence[NDArray[Any]]

# Of the largest value of an output: a quarter of a step of 8 bits. What is only rounded differs by 1e-5 at most.
_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Case:
    """Inputs to compare on, by a ``name`` that goes on after "for", as "a black picture"."""

    name: str
    inputs: Examples


class DisagreementError(Exception):
    """For one case the graph computes something else, or nothing at all."""


class Comparison:
    """Compares graphs of one network with it, which runs only once for each case."""

    def __init__(self, answer: Callable[[Examples], Answers], exact: Callable[[Examples], Answers]) -> None:
        """Compare with what the network makes of inputs: ``answer`` in its own precision, ``exact`` in float64."""
        self._answer = answer
        self._exact = exact
        self._known: dict[str, Answers] = {}
        self._opened: tuple[onnx.ModelProto, onnxruntime.InferenceSession] | None = None

    def check(self, model: onnx.ModelProto, cases: Iterable[Case]) -> None:
        """Raise :class:`DisagreementError` for the first of ``cases`` where ``model`` differs from the network."""
        if self._opened is None or self._opened[0] is not model:
            self._opened = model, _session(model)
        session = self._opened[1]
        names = [value.name for value in session.get_inputs()]
        for case in cases:
            if case.name not in self._known:
                self._known[case.name] = self._answer(case.inputs)
            feeds = {name: tensor.numpy() for name, tensor in zip(names, case.inputs, strict=True)}
            try:
                found = session.run(None, feeds)
            except Exception:  # ONNX Runtime has a dozen kinds
                fourier = any(node.op_type == "DFT" for node in model.graph.node)
                why = ", as ONNX Runtime has no dynamic axes for Fourier transforms (DFT)" if fourier else ""
                raise DisagreementError(f"its graph does not run for {case.name}{why}") from None
            if not self._alike(self._known[case.name], found) and not self._rounded(case):
                raise DisagreementError(f"its graph computes something else for {case.name}")

    def _rounded(self, case: Case) -> bool:
        """Whether rounding alone makes another answer of this case, as where a constant picture is normalised."""
        try:
            exact = self._exact(case.inputs)
        except Exception:  # somebody else's code
            return False
        return not self._alike(exact, self._known[case.name])

    def _alike(self, expected: Answers, found: Answers) -> bool:
        if [answer.shape for answer in expected] != [answer.shape for answer in found]:
            return False
        return all(
            _equal(e.astype(np.float64), f.astype(np.float64), self._largest(number))
            for number, (e, f) in enumerate(zip(expected, found, strict=True))
        )

    def _largest(self, number: int) -> float:
        """The largest value of that output for any case."""
        values = (np.abs(answers[number][np.isfinite(answers[number])]) for answers in self._known.values())
        return max(float(finite.max(initial=0)) for finite in values)


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise DisagreementError(f"ONNX Runtime does not load its graph: {error}") from None


def _equal(expected: NDArray[np.float64], found: NDArray[np.float64], largest: float) -> bool:
    """But for rounding. What is infinite or no number has to be so in both."""
    finite = np.isfinite(expected)
    if not np.array_equal(expected[~finite], found[~finite], equal_nan=True):
        return False
    difference = np.abs(expected[finite] - found[finite]).max(initial=0)
    return bool(difference <= _TOLERANCE * largest)
