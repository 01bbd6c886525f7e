"""The pictures a training is pointed at: the built-in digits, or class folders in a folder or zip.

Nothing here needs torch, so what is wrong with the data is known before it is imported.
"""

import numpy as np

from edgevision.core.errors import DatasetError
from edgevision.data.box_annotations import AnnotatedFolder
from edgevision.data.datasets import ImageDataset, ImageFolder
from edgevision.data.mask_annotations import MaskedFolder
from edgevision.data.picture_pairs import PairedFolder
from edgevision.data.point_annotations import PointedFolder, held_out_by
from edgevision.modelfiles.metadata import Color, ImageSpec, Resize
from edgevision.runtime.tasks.keypoints.schemes import SCHEMES
from edgevision.runtime.tasks.sequences.clips import ClipDataset, ClipFolder
from edgevision.training.digits import Digits
from edgevision.training.left_out import LeftOut
from edgevision.training.moving_digits import SIDE, MovingDigits
from edgevision.training.settings import (
    DIGITS,
    MOVING_DIGITS,
    ClassifierSettings,
    CompressionSettings,
    DetectionSettings,
    GenerativeSettings,
    KeypointSettings,
    PhotoSettings,
    SegmentationSettings,
    SequenceSettings,
    TranslationSettings,
)

_DIGIT_SIZE = 28
_FRAME_SIZE = 112


def check_pictures(settings: ClassifierSettings | GenerativeSettings) -> None:
    """Refuse class folders that a training with ``settings`` could not use; :class:`DatasetError` says why."""
    if settings.data != DIGITS:
        open_data(settings)


def check_photos(settings: PhotoSettings | CompressionSettings) -> None:
    """Refuse what are no photographs; :class:`DatasetError` says why."""
    for path in settings.data:
        open_photos(path)


def check_pairs(settings: TranslationSettings) -> None:
    """Refuse what are no pairs; :class:`DatasetError` says why."""
    held_out_by(settings.groups)
    for path in settings.data:
        open_pairs(path)


def check_boxes(settings: DetectionSettings) -> None:
    """Refuse what has no boxes to learn from; :class:`DatasetError` says why."""
    open_annotated(settings.data, "train")


def check_masks(settings: SegmentationSettings) -> None:
    """Refuse what has no masks to learn from; :class:`DatasetError` says why."""
    open_masked(settings.data, "train")


def check_points(settings: KeypointSettings) -> None:
    """Refuse what has no points to learn from; :class:`DatasetError` says why."""
    held_out_by(settings.groups)
    pointed = open_pointed(settings.data, "train")
    if settings.scheme is not None and len(SCHEMES[settings.scheme].point_names) != pointed.count:
        raise DatasetError(
            f"{settings.data!r} has {pointed.count} points a thing, which are not those of {settings.scheme}"
        )


def open_pointed(data: str, split: str) -> PointedFolder:
    """The points of one split; data that are not divided are all of their splits."""
    return PointedFolder(ImageFolder(data, (split,)))


def open_data(settings: ClassifierSettings | GenerativeSettings) -> ImageDataset:
    """The pictures to train on.

    Raises:
        DatasetError: as :func:`open_split`; fewer than two class folders where ``settings.classes_for`` needs them.
    """
    data = open_split(settings.data, "train")
    count = len(data.class_names)
    if settings.classes_for is not None and count < 2:
        raise DatasetError(f"{settings.data!r} has {count} class folders; {settings.classes_for} needs two or more")
    return data


def open_split(data: str, split: str) -> ImageDataset:
    """One split of the data; an undivided folder is all of its splits."""
    return Digits(split) if data == DIGITS else ImageFolder(data, (split,))


def open_photos(path: str) -> ImageFolder:
    """Photographs of one split where the data are divided."""
    return ImageFolder(path, ("train", "val", "test"))


def open_pairs(path: str) -> PairedFolder:
    """Pairs of one split where the data are divided."""
    return PairedFolder(path, ("train", "val", "test"))


def open_annotated(data: str, split: str) -> AnnotatedFolder:
    """The boxes of one split; data that are not divided are all of their splits.

    Raises:
        DatasetError: missing, without pictures or such a split, or without one box.
    """
    annotated = AnnotatedFolder(ImageFolder(data, (split,)))
    found = (annotated.of(name) for name in annotated.folder.names)
    if not any(things is not None and len(things.boxes) for things in found):
        raise DatasetError(f"{data!r} has annotations without one box; a detector learns from boxes")
    return annotated


def open_masked(data: str, split: str) -> MaskedFolder:
    """The masks of one split; data that are not divided are all of their splits.

    Raises:
        DatasetError: missing, without pictures or such a split, without masks, or with masks of one class only.
    """
    masked = MaskedFolder(ImageFolder(data, (split,)))
    if len(masked.class_names) < 2:
        raise DatasetError(
            f"{data!r} has masks of one class only, {masked.class_names[0]!r}; there is nothing to tell apart"
        )
    return masked


def check_clips(settings: SequenceSettings) -> None:
    """Refuse clips that a training with ``settings`` could not use; :class:`DatasetError` says why."""
    if settings.data != MOVING_DIGITS:
        open_clips(settings)


def open_clips(settings: SequenceSettings) -> ClipDataset:
    """The clips to train on.

    Raises:
        DatasetError: missing, without clips or such a split, or fewer than two class folders.
    """
    data = open_clip_split(settings.data, "train", seed=settings.seed)
    if len(data.class_names) < 2:
        raise DatasetError(
            f"{settings.data!r} has {len(data.class_names)} class folders of clips; a network needs two or more"
        )
    return data


def open_clip_split(data: str, split: str, *, seed: int) -> ClipDataset:
    """One split of the clips; an undivided folder is all of its splits. The moving digits are drawn by ``seed``."""
    return MovingDigits(split, seed=seed) if data == MOVING_DIGITS else ClipFolder(data, (split,))


def clip_spec(data: ClipDataset, *, size: int | None, color: Color | None) -> ImageSpec:
    """Size and colour of frames, as asked for or as the data has them: 32 and gray for moving digits, else 112."""
    moving = isinstance(data, MovingDigits)
    size = size or (SIDE if moving else _FRAME_SIZE)
    return ImageSpec(color=color or (Color.GRAY if moving else Color.RGB), size=(size, size), resize=Resize.CROP)


def image_spec(data: ImageDataset, *, size: int | None, color: Color | None, largest: int = 224) -> ImageSpec:
    """Size and colour, as asked for or as the data has them: its own square size up to 64, else ``largest``."""
    if size is None:
        size = _own_size(data) or largest
    color = color or (Color.GRAY if isinstance(data, Digits) else Color.RGB)
    return ImageSpec(color=color, size=(size, size), resize=Resize.CROP)


def _own_size(data: ImageDataset) -> int | None:
    if isinstance(data, Digits):
        return _DIGIT_SIZE
    # What cannot be read is said when all are.
    read = [LeftOut().attempt(data.image, int(index)) for index in np.linspace(0, len(data) - 1, 16)]
    sizes = {picture.size for picture in read if picture is not None}
    width, height = sizes.pop() if len(sizes) == 1 else (0, 0)
    return height if 0 < height == width <= 64 else None
