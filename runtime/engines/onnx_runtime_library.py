"""The ``onnxruntime`` package, of whichever wheel is installed: imported, kept silent, its errors made readable."""

import logging
import re
from typing import Any

from edgevision.core.extras import requires_extra

_log = logging.getLogger(__name__)


def import_onnx_runtime() -> Any:
    """The module; raises :class:`~edgevision.core.errors.MissingExtraError` without it."""
    with requires_extra("cpu"):
        import onnxruntime
    # What providers say while they are looked for belongs to no session.
    onnxruntime.set_default_logger_severity(log_severity())
    return onnxruntime


def log_severity() -> int:
    """From which of its levels on ONNX Runtime writes to standard error by itself.

    Its errors are raised as well, so it is silent (4) but where this package's own debugging is shown (2, warnings).
    """
    return 2 if _log.isEnabledFor(logging.DEBUG) else 4


def first_line(error: Exception) -> str:
    """ONNX Runtime's message without its error code and its source locations."""
    line = str(error).strip().splitlines()[0]
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ", "", line)
    return re.sub(r"(/\S+\.(cc|h):\d+ .*?\) ?)", "", line)


def unfit_operator(error: Exception) -> str | None:
    """The operator, by its type and name, whose input had another shape than it is made for, if that is the error."""
    running = re.search(r"running (\w+) node\. Name:'([^']*)' Status Message: (.*)", str(error), re.DOTALL)
    if running is not None and re.search(r"reshaped|dimension|broadcast", running[3], re.IGNORECASE):
        return f"{running[1]} {running[2]!r}"
    inferred = re.search(r"Node \(([^)]*)\) Op \((\w+)\) \[ShapeInferenceError\]", str(error))
    return None if inferred is None else f"{inferred[2]} {inferred[1]!r}"
