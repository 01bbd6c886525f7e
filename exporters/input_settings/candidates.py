"""The settings that people get wrong: one changed at a time, and the conventions of well-known sets of weights."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, Resample, Resize

Change = Mapping[str, Any]
"""New values by the names they have in the metadata, which are those of the options of ``export``."""


class _Normalisation(NamedTuple):
    """For red, green and blue in 0..1, or for gray."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


_OF_COLOR = (
    _Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # ImageNet
    _Normalisation((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),  # CIFAR-10
    _Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    _Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
)
_OF_GRAY = (
    _Normalisation((0.1307,), (0.3081,)),  # MNIST
    _Normalisation((0.5,), (0.5,)),
    _Normalisation((0.0,), (1.0,)),
)
_CAFFE_MEAN = (103.939, 116.779, 123.68)
_RANGES = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))
_COLORS = {3: (Color.RGB, Color.BGR, Color.YCBCR), 1: (Color.GRAY, Color.LUMA)}


def changes(
    metadata: ModelMetadata, origin: ModelMetadata | None, of_output: Sequence[Change]
) -> Iterator[dict[str, Any]]:
    """What is worth trying: first what the ``origin`` of the model says, then single settings, then several together.

    ``of_output`` are the task's own. None of them leaves the metadata as they are.
    """
    image = metadata.image
    assert image is not None
    theirs = values_of(origin) if origin is not None and origin.task == metadata.task else {}
    own = [{name: value} for name, value in theirs.items()]
    for change in (*own, theirs, *_of_image(image), *of_output, *_conventions(image), *_in_other_order(image)):
        different = _different(metadata, change)
        if different:
            yield different


def changed(metadata: ModelMetadata, change: Change) -> ModelMetadata:
    """``metadata`` with the ``change``."""
    assert metadata.image is not None
    of_image = {name: value for name, value in change.items() if hasattr(metadata.image, name)}
    of_spec = {name: value for name, value in change.items() if name not in of_image}
    metadata = metadata.updated(image=metadata.image.updated(**of_image))
    if of_spec and metadata.spec is not None:
        metadata = metadata.updated(spec=metadata.spec.updated(**of_spec))
    return metadata


def values_of(metadata: ModelMetadata) -> dict[str, Any]:
    """All settings of ``metadata`` that may be wrong, by name."""
    image = metadata.image
    if image is None:
        return {}
    channels = image.color.channels
    values: dict[str, Any] = {
        "color": image.color,
        "value_range": image.value_range,
        "mean": image.mean or (0.0,) * channels,
        "std": image.std or (1.0,) * channels,
    }
    if image.size is not None:
        values |= {"resize": image.resize, "resample": image.resample}
    for name in ("predicts", "output_range"):
        if getattr(metadata.spec, name, None) is not None:
            values[name] = getattr(metadata.spec, name)
    return values


def as_options(change: Change) -> dict[str, str]:
    """The options of ``export`` that make the ``change``, and their values."""
    return {f"--{name.replace('_', '-')}": _text(value) for name, value in change.items()}


def _of_image(image: ImageSpec) -> Iterator[Change]:
    yield from ({"color": color} for color in _COLORS[image.color.channels])
    yield from ({"value_range": value_range} for value_range in _RANGES)
    normalisations = _normalisations(image)
    yield from ({"mean": each.mean} for each in normalisations)
    yield from ({"std": each.std} for each in normalisations)
    yield from ({"mean": each.mean, "std": each.std} for each in normalisations)
    if image.size is not None:
        yield from ({"resize": resize} for resize in Resize)
        # The usual ones first: where several do equally well, the first is named.
        usual = (Resample.BILINEAR, Resample.BICUBIC, Resample.LANCZOS, Resample.LINEAR, Resample.NEAREST)
        yield from ({"resample": resample} for resample in usual)


def _conventions(image: ImageSpec) -> Iterator[Change]:
    channels = image.color.channels
    for low_high in _RANGES:
        for each in _normalisations(image.updated(value_range=(0.0, 1.0))) if low_high == (0.0, 1.0) else ():
            yield {"value_range": low_high, "mean": each.mean, "std": each.std}
        yield {"value_range": low_high, "mean": (0.0,) * channels, "std": (1.0,) * channels}
    if channels == 3:
        yield {"color": Color.BGR, "value_range": (0.0, 255.0), "mean": _CAFFE_MEAN, "std": (1.0,) * 3}


def _in_other_order(image: ImageSpec) -> Iterator[Change]:
    """Red and blue exchanged and something else besides: where two things are wrong, this is mostly one of them."""
    other = {Color.RGB: Color.BGR, Color.BGR: Color.RGB}.get(image.color)
    if other is not None:
        exchanged = image.updated(color=other)
        for change in (*_of_image(exchanged), *_conventions(exchanged)):
            if "color" not in change:
                yield {"color": other, **change}


def _normalisations(image: ImageSpec) -> list[_Normalisation]:
    """The known ones in the range and the order of channels of ``image``."""
    low, high = image.value_range
    order = slice(None, None, -1) if image.color is Color.BGR else slice(None)
    return [
        _Normalisation(
            tuple(low + (high - low) * mean for mean in known.mean[order]),
            tuple((high - low) * std for std in known.std[order]),
        )
        for known in (_OF_GRAY if image.color.channels == 1 else _OF_COLOR)
    ]


def _different(metadata: ModelMetadata, change: Change) -> dict[str, Any]:
    """The ``change`` without what is so already."""
    now = values_of(metadata)
    return {name: value for name, value in change.items() if now.get(name) != value}


def _text(value: Any) -> str:
    return ",".join(f"{number:g}" for number in value) if isinstance(value, tuple) else str(value)
