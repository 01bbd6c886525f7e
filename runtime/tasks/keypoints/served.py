"""The task ``keypoints``, served."""

from dataclasses import dataclass
from typing import Any

from edgevision.runtime.tasks.keypoints.command import parse_box
from edgevision.runtime.tasks.served import Values
from edgevision.runtime.tasks.served_answers import ServedAnswers


@dataclass(frozen=True, kw_only=True)
class _ServedKeypoints(ServedAnswers):
    def pipeline_options(self, values: Values) -> dict[str, Any]:
        box = None if values["box"] is None else parse_box(values["box"])
        return super().pipeline_options(values) | {"box": box}


# Classes are those of a detector, of which a request names none.
SERVED = _ServedKeypoints(options=("min_score", "most", "box"))
