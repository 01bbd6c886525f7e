"""The task ``keypoints``, served."""

from dataclasses import dataclass
from typing import Any

from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.keypoints.command import parse_box
from edgevision.runtime.tasks.keypoints.spec import KeypointsSpec, Refinement
from edgevision.runtime.tasks.served import InBrowser, Values
from edgevision.runtime.tasks.served_answers import ServedAnswers


@dataclass(frozen=True, kw_only=True)
class _ServedKeypoints(ServedAnswers):
    def pipeline_options(self, values: Values) -> dict[str, Any]:
        box = None if values["box"] is None else parse_box(values["box"])
        return super().pipeline_options(values) | {"box": box}

    def browser_refusal(self, metadata: ModelMetadata) -> str | None:
        head = metadata.spec_as(KeypointsSpec).head
        return "its points are refined by DARK" if head is not None and head.refinement is Refinement.DARK else None


# Classes are those of a detector, of which a request names none.
SERVED = _ServedKeypoints(options=("min_score", "most", "box"), browser=InBrowser(module="keypoints", options=("box",)))
