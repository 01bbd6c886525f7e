"""The task ``other``: any graph, of which nothing is known but what it takes and gives."""

from edgevision.runtime.tasks.task import Task

OTHER = Task(
    name="other",
    summary="Run any model: arrays or pictures in, all outputs as they are.",
    command="edgevision.runtime.tasks.other.command:other",
)
