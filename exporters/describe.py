"""The metadata of a model about to be exported: what the checkpoint says, completed or corrected by the user."""

from collections.abc import Mapping
from typing import Any

from edgevision.core.errors import InputError
from edgevision.modelfiles.metadata import Color, ModelMetadata, Task
from edgevision.modelfiles.metadata_check import check_sense

_TASKS_WITH_LATENT = (Task.GENERATE,)
# What takes pictures of one size, to which they are brought.
_FIXED = (Task.CLASSIFY, Task.OTHER)
RESTORATION_TASKS = (Task.INPAINT, Task.DENOISE, Task.UPSCALE, Task.BRIGHTEN)

# Side of the samples for a network that takes pictures of any size, rounded up to its multiple.
SAMPLE_SIDE = 96

# And of a latent map, of which every place becomes many pixels.
_MAP_SIDE = 4


def describe(
    own: ModelMetadata | None, given: Mapping[str, Any], *, name: str, input_shape: tuple[int, ...] | None
) -> tuple[ModelMetadata, tuple[int, ...]]:
    """Merge ``given`` (fields as in the JSON of :class:`ModelMetadata`) over the checkpoint's ``own`` metadata.

    Returns the metadata and the input's shape without the batch. A foreign checkpoint needs ``task`` and an
    ``input_shape`` (batch included); size and colour follow from the shape unless they are given.

    Raises:
        InputError: something needed is missing, or the parts contradict each other.
    """
    document = _merge(own.to_dict() if own else {"name": name}, given)
    if "task" not in document:
        raise InputError(
            f"a foreign checkpoint does not say what it is for; give --task ({', '.join(Task)}) and --input-shape"
        )
    if input_shape is not None and len(input_shape) < 2:
        raise InputError(f"--input-shape holds the batch and at least one size, as 1x64, not {input_shape}")
    shape = input_shape[1:] if input_shape else _own_shape(own)
    if shape is None:
        raise InputError(
            "the input's size is unknown; give --input-shape, as 1x3x224x224 (batch, channels, height, width)"
        )
    if document["task"] in _TASKS_WITH_LATENT:
        if not isinstance(document.get("latent", {}), Mapping):
            raise InputError(f"the metadata cannot be right: latent must be an object, not {document['latent']!r}")
        document["latent"] = {"size": shape[0]} | dict(document.get("latent", {}))
        if len(shape) == 3 and shape[1:] != (1, 1):
            # A map, not a vector as DCGANs take it. How much it becomes is found out when the network is run.
            document["latent"].setdefault("pixels", 1)
    else:
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise InputError(f"a picture's --input-shape is 1x3xHxW, or 1x1xHxW for gray, not {input_shape}")
        if not isinstance(document.get("image", {}), Mapping):
            raise InputError(f"the metadata cannot be right: image must be an object, not {document['image']!r}")
        image = dict(document.get("image", {}))
        image.setdefault("color", Color.GRAY.value if shape[0] == 1 else Color.RGB.value)
        if document["task"] in RESTORATION_TASKS:
            document.setdefault("restoration", {})
        if document["task"] in _FIXED and (input_shape or "size" not in image):
            image["size"] = list(shape[1:])
        document["image"] = image
    try:
        metadata = ModelMetadata.from_dict(document, "metadata")
        check_sense(metadata)
    except ValueError as error:
        raise InputError(f"the metadata cannot be right: {error}") from error
    if metadata.restoration is not None and metadata.task not in RESTORATION_TASKS:
        raise InputError(f"--predicts, --output-range and a scale are for restoration, not for {metadata.task}")
    if metadata.classification is not None and metadata.task is not Task.CLASSIFY:
        raise InputError(f"--activation is for classify, not for {metadata.task}")
    taken = None if metadata.task in _TASKS_WITH_LATENT else metadata.image
    if taken is not None and taken.color.channels != shape[0]:
        raise InputError(f"color {taken.color} has {taken.color.channels} channels, the input {shape[0]}")
    return metadata, shape


def _own_shape(own: ModelMetadata | None) -> tuple[int, ...] | None:
    if own is None or not own.inputs:
        return None
    shape = own.inputs[0].shape[1:]
    if own.task is Task.GENERATE and own.latent is not None and own.latent.pixels is not None:
        return (own.latent.size, _MAP_SIDE, _MAP_SIDE)
    if all(isinstance(side, int) for side in shape):
        return tuple(int(side) for side in shape)
    if own.image is not None and own.image.size is not None:
        return (own.image.color.channels, *own.image.size)
    if own.image is not None and own.restoration is not None:
        multiple = own.tile.multiple if own.tile else 1
        side = -(-SAMPLE_SIDE // multiple) * multiple
        return (own.image.color.channels, side, side)
    return None


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
