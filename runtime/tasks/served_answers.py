"""The tasks that find things in pictures, served."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgevision.runtime.tasks.pipeline import check_classes
from edgevision.runtime.tasks.served import AnswerKind, ServedTask, Values


@dataclass(frozen=True, kw_only=True)
class ServedAnswers(ServedTask):
    """The options ``min_score`` and ``most`` are those of all of them, ``classes`` of those that know several."""

    answer_kind: AnswerKind = "both"
    options: tuple[str, ...] = ("min_score", "most", "classes")

    def pipeline_options(self, values: Values) -> dict[str, Any]:
        return {"min_score": values["min_score"], "most": values["most"]}

    def answer(self, pipeline: Any, contents: Sequence[Any], values: Values) -> Sequence[Any]:
        classes = values.get("classes", ())
        check_classes(pipeline, classes)
        answers: list[Any] = pipeline(list(contents))
        return [answer.of_classes(classes) for answer in answers] if classes else answers
