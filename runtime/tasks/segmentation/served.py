"""The task ``segment``, served."""

from dataclasses import dataclass
from typing import Any

from edgevision.runtime.tasks.served import Values
from edgevision.runtime.tasks.served_answers import ServedAnswers


@dataclass(frozen=True, kw_only=True)
class _ServedSegmentation(ServedAnswers):
    def pipeline_options(self, values: Values) -> dict[str, Any]:
        return super().pipeline_options(values) | {"threshold": values["threshold"]}


SERVED = _ServedSegmentation(options=(*ServedAnswers.options, "threshold"))
