"""The task ``segment``, served."""

from dataclasses import dataclass
from typing import Any

from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.segmentation.spec import SegmentationSpec
from edgevision.runtime.tasks.served import InBrowser, Values
from edgevision.runtime.tasks.served_answers import ServedAnswers
from edgevision.runtime.tasks.windows import parse_tile


@dataclass(frozen=True, kw_only=True)
class _ServedSegmentation(ServedAnswers):
    def pipeline_options(self, values: Values) -> dict[str, Any]:
        tile = None if values["tile"] is None else parse_tile(values["tile"])
        return super().pipeline_options(values) | {"threshold": values["threshold"], "tile": tile}

    def browser_refusal(self, metadata: ModelMetadata) -> str | None:
        head = metadata.spec_as(SegmentationSpec).head
        return "its things are told apart by a clustering" if head is not None and head.clustering is not None else None


_IN_BROWSER = InBrowser(
    module="segment",
    options=(*ServedAnswers.options, "threshold"),
    limits="In the browser it looks at the whole picture only, without windows for small things.",
)

SERVED = _ServedSegmentation(options=(*ServedAnswers.options, "threshold", "tile"), browser=_IN_BROWSER)
