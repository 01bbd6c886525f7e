"""The task ``classify``, served."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgevision.runtime.tasks.served import InBrowser, ServedTask, Values


@dataclass(frozen=True, kw_only=True)
class _ServedClassification(ServedTask):
    def answer(self, pipeline: Any, contents: Sequence[Any], values: Values) -> Sequence[Any]:
        answers: list[Any] = pipeline(list(contents))
        return answers

    def document(self, result: Any, values: Values) -> dict[str, Any]:
        document: dict[str, Any] = result.to_dict(values["top"])
        return document


SERVED = _ServedClassification(options=("top",), batches=True, browser=InBrowser(module="classify", options=("top",)))
