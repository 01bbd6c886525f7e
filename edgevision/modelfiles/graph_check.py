"""What tasks check of a model's graph: pictures, sides and counts, each with its sentence."""

from collections.abc import Iterable
from typing import NoReturn

from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec

Specs = tuple[TensorSpec, ...]


def needed_image(metadata: ModelMetadata) -> ImageSpec:
    """How a picture becomes an input; :class:`ValueError` where the metadata do not say."""
    if metadata.image is None:
        raise ValueError("metadata.image is missing, so it does not say how a picture becomes an input")
    return metadata.image


def check_picture(image: ImageSpec, spec: TensorSpec) -> None:
    """Whether a tensor of the graph is the picture that the metadata describes."""
    if len(spec.shape) != 4:
        raise ValueError(f"{spec.name!r} is {spec.shape} in its graph, and pictures are (batch, channels, h, w)")
    if not shapes_match(spec.shape[1:2], (image.color.channels,)):
        refuse("image.color", str(image.color), f"{spec.name!r} is {spec.shape} in its graph")
    plain = image.value_range == (0.0, 255.0) and not image.mean and not image.std
    if not spec.dtype.startswith("float") and not plain:
        refuse("image.value_range", image.value_range, f"{spec.name!r} is {spec.dtype}, which holds 0 to 255 as it is")
    if image.size is not None and not shapes_match(spec.shape[2:], image.size):
        refuse("image.size", image.size, f"{spec.name!r} is {spec.shape} in its graph")


def check_sides(field: str, scale: int, before: tuple[int | str, ...], after: tuple[int | str, ...]) -> None:
    """Whether the sides after are ``scale`` times those before; ``field`` of the metadata says that they are."""
    scaled = tuple(side * scale if isinstance(side, int) else side for side in before)
    if not shapes_match(scaled, after):
        refuse(field, scale, f"in its graph {before} become {after}")


def check_count(metadata: ModelMetadata, kind: str, specs: Specs, *counts: int) -> None:
    """Whether the graph has as many inputs or outputs (``kind``) as the task needs."""
    if len(specs) not in counts:
        names = ", ".join(repr(spec.name) for spec in specs[:8])
        needed = " or ".join(map(str, counts))
        raise ValueError(f"its graph has {len(specs)} {kind} ({names}), and {metadata.task} needs {needed}")


def shapes_match(one: tuple[int | str, ...], other: tuple[int | str, ...]) -> bool:
    """Whether two shapes can be the same: of one rank, and equal where both are known."""
    return len(one) == len(other) and all(
        a == b or isinstance(a, str) or isinstance(b, str) for a, b in zip(one, other, strict=True)
    )


def shortened_list(labels: tuple[str, ...]) -> list[str]:
    """The first few, for an error."""
    return [*labels[:3], "..."] if len(labels) > 3 else list(labels)


def check_outputs(field: str, named: Iterable[str], outputs: Specs) -> None:
    """Refuse a name in ``field`` of the metadata that no output of the graph has."""
    names = {spec.name for spec in outputs}
    for name in named:
        if name not in names:
            refuse(field, name, f"its graph's outputs are {', '.join(map(repr, sorted(names)))}")


def refuse(field: str, value: object, rule: str) -> NoReturn:
    """Raise the error that ``field`` of the metadata is ``value``, but ``rule``."""
    raise ValueError(f"metadata.{field} is {value!r:.80}, but {rule}")
