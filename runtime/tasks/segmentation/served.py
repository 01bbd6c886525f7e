"""The task ``segment``, served."""

from dataclasses import dataclass
from typing import Any

from edgevision.runtime.tasks.served import Values
from edgevision.runtime.tasks.served_answers import ServedAnswers
from edgevision.runtime.tasks.windows import parse_tile


@dataclass(frozen=True, kw_only=True)
class _ServedSegmentation(ServedAnswers):
    def pipeline_options(self, values: Values) -> dict[str, Any]:
        tile = None if values["tile"] is None else parse_tile(values["tile"])
        return super().pipeline_options(values) | {"threshold": values["threshold"], "tile": tile}


SERVED = _ServedSegmentation(options=(*ServedAnswers.options, "threshold", "tile"))
