"""The task ``detect``, served."""

from dataclasses import dataclass
from typing import Any

from edgevision.runtime.tasks.served import InBrowser, Values
from edgevision.runtime.tasks.served_answers import ServedAnswers
from edgevision.runtime.tasks.windows import parse_tile

_MOST_AT_ONCE = 32
"""Pictures of several requests; how many there are is decided before."""


@dataclass(frozen=True, kw_only=True)
class _ServedDetection(ServedAnswers):
    def pipeline_options(self, values: Values) -> dict[str, Any]:
        tile = None if values["tile"] is None else parse_tile(values["tile"])
        # Windows of one picture run one by one, as on the command line.
        batch = _MOST_AT_ONCE if tile is None else 1
        own = {"iou": values["iou"], "merge": values["merge"], "tile": tile, "batch": batch}
        return super().pipeline_options(values) | own


_OPTIONS = (*ServedAnswers.options, "iou", "merge", "tile")

SERVED = _ServedDetection(options=_OPTIONS, batches=True, browser=InBrowser(module="detect", options=_OPTIONS))
