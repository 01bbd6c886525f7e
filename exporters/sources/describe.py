"""The metadata of a model about to be exported: what the checkpoint says, completed or corrected by the user."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from edgevision.core.errors import InputError
from edgevision.core.lazy_objects import load_object
from edgevision.modelfiles.graph_check import Specs
from edgevision.modelfiles.metadata import ModelMetadata, current
from edgevision.modelfiles.metadata_check import check_sense
from edgevision.modelfiles.task_registry import find_task, task_names
from edgevision.runtime.tasks.task import Task

_DTYPES = (
    *("float32", "float16", "float64", "bool"),
    *("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
)


def describe(
    own: ModelMetadata | None, given: Mapping[str, Any], *, name: str, input_shape: tuple[int, ...] | None
) -> tuple[ModelMetadata, tuple[int, ...]]:
    """Merge ``given`` (fields as in the JSON of :class:`ModelMetadata`) over the checkpoint's ``own`` metadata.

    Returns the metadata and the first input's shape without the batch. A foreign checkpoint needs ``task`` and an
    ``input_shape`` (batch included); what follows from the shape, as size and colour of a picture, need not be given.

    Raises:
        InputError: something needed is missing, or the parts contradict each other.
    """
    given = current_form(given)
    document = merged(own.to_dict() if own else {"name": name}, given)
    if "task" not in document:
        raise InputError(
            f"a foreign checkpoint does not say what it is for; give --task ({', '.join(task_names())}) and"
            " --input-shape"
        )
    task = given_task(document["task"])
    _check_own_fields(task, given)
    if input_shape is not None and len(input_shape) < 2:
        raise InputError(f"--input-shape holds the batch and at least one size, as 1x64, not {input_shape}")
    shape = input_shape[1:] if input_shape else (find_task(own.task).sample_shape(own) if own else None)
    if shape is None:
        raise InputError(
            "the input's size is unknown; give --input-shape, as 1x3x224x224 (batch, channels, height, width)"
        )
    metadata = parsed(task.describe(document, shape, given=input_shape is not None))
    _check_inputs(metadata.inputs)
    _check_layout(task, metadata)
    if metadata.image is not None and task.takes_pictures:
        # A window has its frames in front of them.
        color, channels = metadata.image.color, shape[-3:][0]
        if color.channels != channels:
            raise InputError(f"color {color} has {color.channels} channels, the input {channels}")
    return metadata, shape


def given_task(name: object) -> Task:
    """The task that the user asked for; :class:`InputError` where there is none of that name."""
    try:
        return find_task(str(name))
    except ValueError as error:
        raise InputError(str(error)) from error


def current_form(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a user gave of the metadata, in the form of today's documents; :class:`InputError` where it is none."""
    try:
        return dict(current(given))
    except ValueError as error:
        raise InputError(f"the metadata cannot be right: {error}") from error


def parsed(document: Mapping[str, Any]) -> ModelMetadata:
    """The metadata of a document; :class:`InputError` where they make no sense."""
    try:
        metadata = ModelMetadata.from_dict(document, "metadata")
        check_sense(metadata)
    except ValueError as error:
        raise InputError(f"the metadata cannot be right: {error}") from error
    return metadata


def _check_own_fields(task: Task, given: Mapping[str, Any]) -> None:
    """Refuse what the user gave for another task: nobody would ever look at it."""
    known, asked = _own_fields(task), given.get("spec")
    every = {field for name in task_names() for field in _own_fields(find_task(name))}
    strange = [name for name in asked if name in every and name not in known] if isinstance(asked, Mapping) else []
    if strange:
        has = f"has {', '.join(known)}" if known else "has nothing of its own"
        raise InputError(
            f"{', '.join(strange)} among the metadata {'are' if len(strange) > 1 else 'is'} not for"
            f" {task.name}, which {has}"
        )


def _check_layout(task: Task, metadata: ModelMetadata) -> None:
    """Refuse a head of a name that nobody knows, before the time that a conversion takes."""
    layout = getattr(metadata.spec, "layout", None)
    if layout is None or task.layouts is None or getattr(metadata.spec, "head", None) is not None:
        return
    known: Mapping[str, Any] = load_object(task.layouts)
    if layout not in known:
        raise InputError(f"--head {layout!r} is no layout that is known: {', '.join(known)}; or give a JSON object")


def _check_inputs(inputs: Specs) -> None:
    """Refuse what no example can be made of, and names that no graph can have."""
    names = [spec.name for spec in inputs]
    if "" in names or len(set(names)) < len(names):
        raise InputError(f"the inputs among the metadata are {names}: each has to have a name of its own")
    for spec in inputs:
        if spec.dtype not in _DTYPES:
            raise InputError(f"the input {spec.name!r} among the metadata is {spec.dtype!r}, not {', '.join(_DTYPES)}")
        if any(isinstance(side, int) and side < 1 for side in spec.shape):
            raise InputError(f"the input {spec.name!r} among the metadata is {spec.shape}: a side is at least 1")


def _own_fields(task: Task) -> list[str]:
    return [field.name for field in fields(task.spec) if field.name != "extra"] if task.spec else []


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with what ``over`` says, also of a part of a part."""
    whole = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(whole.get(key), Mapping)
        whole[key] = merged(whole[key], value) if both else value
    return whole
