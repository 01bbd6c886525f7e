"""Two models side by side, each on one thread: whether they compute the same, and which is faster."""

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx
import onnxruntime

from edgevision.exporters.passes.graph_pass import GraphPass, PassResult
from edgevision.exporters.passes.ir import Array
from edgevision.runtime.benchmark.timing import InterleavedTimer, Speedup
from edgevision.runtime.engines.onnx_runtime_library import log_severity

_log = logging.getLogger(__name__)

_TOLERANCE = 1e-5
_FEWEST_ROUNDS, _ROUNDS = 5, 40
_SECONDS = 2.0
# Timings of the same graph differ by as much.
_NO_SLOWER = 0.98

# The time of this thread alone: what other programs do meanwhile must not decide. Windows counts it in steps of 15 ms.
_clock = time.perf_counter_ns if sys.platform == "win32" else time.thread_time_ns


@dataclass(frozen=True, eq=False)
class WherePays:
    """A pass that is kept where the model then computes the same on ``examples`` and measures no slower here.

    Attributes:
        examples: one array for each input of the model, in order.
    """

    rewriting: GraphPass
    examples: Sequence[Array]

    def __call__(self, model: onnx.ModelProto) -> PassResult:
        feeds = feeds_of(model, self.examples)
        result = self.rewriting(model)
        if not result.modified:
            return PassResult(model)
        what = "; ".join(result.notes)
        before, after = open_on_one_thread(model), open_on_one_thread(result.model)
        if not agree(before, after, feeds):
            _log.debug("%s: not exact here", what)
            return PassResult(model)
        speedup = measured_speedup(before, after, feeds).ratio
        _log.debug("%s: %.3f times as fast", what, speedup)
        return result if speedup >= _NO_SLOWER else PassResult(model)


def feeds_of(model: onnx.ModelProto, examples: Sequence[Array]) -> dict[str, Array]:
    """``examples`` by the names of the inputs that have to be given; :class:`ValueError` for another number of them."""
    defaults = {tensor.name for tensor in model.graph.initializer}
    return dict(zip([v.name for v in model.graph.input if v.name not in defaults], examples, strict=True))


def open_on_one_thread(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A session on one thread, so that its time is all this thread's."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = log_severity()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def agree(
    before: onnxruntime.InferenceSession, after: onnxruntime.InferenceSession, feeds: Mapping[str, Array]
) -> bool:
    """Whether all outputs are equal, to the tolerance as a share of their ranges."""
    for outputs in zip(before.run(None, feeds), after.run(None, feeds), strict=True):
        expected, found = (np.asarray(output, np.float64) for output in outputs)
        # Infinities give NaN here, which is never within the tolerance.
        with np.errstate(invalid="ignore"):
            exact = expected.shape == found.shape and np.abs(found - expected).max() <= _TOLERANCE * np.ptp(expected)
        if not exact:
            return False
    return True


def measured_speedup(
    before: onnxruntime.InferenceSession, after: onnxruntime.InferenceSession, feeds: Mapping[str, Array]
) -> Speedup:
    """How many times as fast ``after`` is, of this thread's time."""
    timer = InterleavedTimer({one: partial(one.run, None, feeds) for one in (before, after)}, clock=_clock)
    timer.measure(_SECONDS, fewest=_FEWEST_ROUNDS, most=_ROUNDS)
    return timer.speedup(after, over=before)
