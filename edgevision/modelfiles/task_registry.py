"""What models can be for: the one table from the name of a task to the object that knows everything of it.

The name is also the verb of ``edgevision run``. Nothing else in the code names a task: whoever opens, exports,
judges, measures or runs a model asks the object, which :class:`edgevision.runtime.tasks.task.Task` describes. Here
stand only strings, as reading what a model file says of itself is below all that, and one room is imported, not all.
"""

from typing import TYPE_CHECKING, cast

from edgevision.core.lazy_objects import load_object

if TYPE_CHECKING:
    from edgevision.runtime.tasks.task import Task

_ROOMS = "edgevision.runtime.tasks"

_TASKS: dict[str, str] = {
    "classify": f"{_ROOMS}.classification.task:CLASSIFY",
    "sequence": f"{_ROOMS}.sequences.task:SEQUENCE",
    "detect": f"{_ROOMS}.detection.task:DETECT",
    "segment": f"{_ROOMS}.segmentation.task:SEGMENT",
    "keypoints": f"{_ROOMS}.keypoints.task:KEYPOINTS",
    "generate": f"{_ROOMS}.generation.task:GENERATE",
    "reconstruct": f"{_ROOMS}.autoencoding.task:RECONSTRUCT",
    "encode": f"{_ROOMS}.autoencoding.task:ENCODE",
    "compress": f"{_ROOMS}.compression.task:COMPRESS",
    "decompress": f"{_ROOMS}.compression.task:DECOMPRESS",
    "inpaint": f"{_ROOMS}.restoration.task:INPAINT",
    "denoise": f"{_ROOMS}.restoration.task:DENOISE",
    "upscale": f"{_ROOMS}.restoration.task:UPSCALE",
    "brighten": f"{_ROOMS}.restoration.task:BRIGHTEN",
    "colorize": f"{_ROOMS}.restoration.task:COLORIZE",
    "stylize": f"{_ROOMS}.stylization.task:STYLIZE",
    "translate": f"{_ROOMS}.translation.task:TRANSLATE",
    "other": f"{_ROOMS}.other.task:OTHER",
}


def task_names() -> tuple[str, ...]:
    """All tasks, in the order in which they are shown."""
    return tuple(_TASKS)


def find_task(name: str) -> "Task":
    """The object of the task that is called ``name``.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if name not in _TASKS:
        from difflib import get_close_matches  # which every start would pay for

        close = get_close_matches(name, _TASKS, 1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"a task is one of {', '.join(_TASKS)}, not {name!r:.60}{meant}")
    return cast("Task", load_object(_TASKS[name]))


def registered_tasks() -> dict[str, str]:
    """Those that were added, by name: what another process that is to know them has to be told."""
    return {name: target for name, target in _TASKS.items() if not target.startswith(f"{_ROOMS}.")}


def register_task(name: str, target: str) -> None:
    """Add a task, whose object is ``target``, as ``"module:object"``.

    Raises:
        ValueError: the name is taken.
    """
    if name in _TASKS:
        raise ValueError(f"the task {name!r} is there already, as {_TASKS[name]}")
    _TASKS[name] = target
