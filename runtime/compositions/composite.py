"""What all compositions are: several pipelines that are opened, called and closed together."""

from types import TracebackType
from typing import Any, Self


class Composite:
    """A context manager, and leaving it frees the models.

    Attributes:
        pipelines: those that are open, by what they are for.
    """

    def __init__(self, **pipelines: Any) -> None:
        """Of pipelines by what they are for, of which ``None`` is not needed."""
        self.pipelines = {name: pipeline for name, pipeline in pipelines.items() if pipeline is not None}

    def close(self) -> None:
        """Free the models."""
        for pipeline in self.pipelines.values():
            pipeline.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
