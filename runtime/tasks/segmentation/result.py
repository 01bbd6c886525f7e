"""What a segmentation network says of a picture."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import OutputError
from edgevision.core.numpy_protocol import requested_array
from edgevision.imaging.cropped_masks import CroppedMask, mask_overlap, paint_ids, split_ids
from edgevision.imaging.images import read_image, to_array
from edgevision.imaging.picture_sources import ImageSource
from edgevision.imaging.pictures import Picture
from edgevision.imaging.tiling import row_strips
from edgevision.metrics.matching import pair_up

if TYPE_CHECKING:
    from collections.abc import Sequence

_LABELLED = 40
"""Of more things in a picture names would hide what is in it; then only the legend has them."""

_SEVERAL = (255, 255, 255)
"""In the legend, where each thing has its own colour."""


class Segmentation:
    """The segments of a picture: a thing each, or with ``whole_classes`` all that is of one class.

    ``numpy.asarray`` gives :attr:`class_map` of whole classes, and :attr:`instance_map` of things.

    Attributes:
        masks: of each segment; those of things stand in the order of their scores, those of classes in their own.
        scores: float32 (N,), 0..1: how sure the network is, on average over the mask.
        classes: int64 (N,), the index of each class.
        size: (height, width) of the picture.
        labels: the classes by their index; those that the model does not name are called ``class 3``.
        background: the class of what is in no segment; ``None`` where that is of no class.
        whole_classes: whether a segment is all that is of one class.
    """

    def __init__(
        self,
        masks: "Sequence[CroppedMask]",
        scores: NDArray[np.float32],
        classes: NDArray[np.int64],
        *,
        size: tuple[int, int],
        labels: tuple[str, ...] = (),
        background: int | None = None,
        whole_classes: bool = False,
    ) -> None:
        if not len(masks) == len(scores) == len(classes):
            raise ValueError(f"there are {len(masks)} masks, {len(scores)} scores and {len(classes)} classes")
        self.masks = tuple(masks)
        self.scores, self.classes, self.size = scores, classes, size
        self.labels, self.background, self.whole_classes = labels, background, whole_classes

    @classmethod
    def of_class_map(
        cls,
        classes: NDArray[Any],
        certainty: NDArray[np.float32] | None = None,
        *,
        labels: tuple[str, ...] = (),
        background: int | None = None,
    ) -> "Segmentation":
        """Of the class of each pixel, whole numbers (H, W), negative ones of no class; ``certainty`` is float32 (H, W).

        Without a certainty the network is taken to be sure.
        """
        ids = np.add(classes, 1, dtype=np.int32, casting="unsafe")
        np.maximum(ids, 0, out=ids)
        found = split_ids(ids)
        chosen = {index - 1: mask for index, mask in found.items() if index - 1 != background}
        scores = np.ones(len(chosen)) if certainty is None else _means(certainty, ids)[np.array(list(chosen), int) + 1]
        return cls(
            tuple(chosen.values()),
            scores.astype(np.float32),
            np.array(list(chosen), np.int64),
            size=(classes.shape[0], classes.shape[1]),
            labels=labels,
            background=background,
            whole_classes=True,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What each segment is."""
        return tuple(self.name_of(int(index)) for index in self.classes)

    def name_of(self, index: int) -> str:
        """What a class is called."""
        return self.labels[index] if index < len(self.labels) else f"class {index}"

    @property
    def boxes(self) -> NDArray[np.float32]:
        """float32 (N, 4): x1, y1, x2, y2 round each mask, in pixels of the picture."""
        return np.array([mask.box for mask in self.masks], np.float32).reshape(-1, 4)

    @property
    def areas(self) -> NDArray[np.int64]:
        """int64 (N,): the pixels of each mask."""
        return np.array([mask.area for mask in self.masks], np.int64)

    @cached_property
    def instance_map(self) -> NDArray[np.int32]:
        """int32 (H, W): the number of the segment from 1, 0 where there is none; the first ones are on top."""
        return paint_ids(self.masks, self.size)

    @cached_property
    def class_map(self) -> NDArray[Any]:
        """(H, W): the class of each pixel, uint8 where there are few; :attr:`void` where it is of none."""
        dtype = np.uint8 if max([len(self.labels), *(self.classes + 1)], default=0) < 256 else np.uint16
        classes = np.concatenate([[self.background if self.background is not None else -1], self.classes])
        painted: NDArray[Any] = classes.astype(dtype)[self.instance_map]
        return painted

    @property
    def void(self) -> int:
        """What :attr:`class_map` holds where a pixel is of no class: 255, or 65535 among more classes."""
        return int(np.iinfo(self.class_map.dtype).max)

    def mask(self, *names: str) -> NDArray[np.bool_]:
        """bool (H, W): what is of one of these classes, or in any segment where none is named."""
        chosen = self.of_classes(names) if names else self
        return chosen.instance_map > 0

    def __len__(self) -> int:
        return len(self.masks)

    def chosen(self, rows: NDArray[Any]) -> "Segmentation":
        """Some segments: ``rows`` are indices, or one truth value for each."""
        indices = np.arange(len(self))[rows]
        return Segmentation(
            [self.masks[index] for index in indices],
            self.scores[indices],
            self.classes[indices],
            size=self.size,
            labels=self.labels,
            background=self.background,
            whole_classes=self.whole_classes,
        )

    def of_classes(self, names: "Sequence[str]") -> "Segmentation":
        """Those of some classes, by name."""
        return self.chosen(np.isin(np.array(self.names, object), list(names)))

    def to_dict(self) -> dict[str, Any]:
        """The picture's size and a dictionary for each segment, its mask as COCO's run lengths."""
        height, width = self.size
        segments = [row | {"mask": self.masks[index].encode(self.size)} for index, row in enumerate(self._rows())]
        return {"width": width, "height": height, "segments": segments}

    def to_rows(self) -> list[dict[str, Any]]:
        """A line for each segment: label, score, area in pixels and in percent of the picture, x1, y1, x2, y2."""
        sides = ("x1", "y1", "x2", "y2")
        return [
            {
                "label": row["label"],
                "score": row["score"],
                "area": row["area"],
                "percent": round(100 * row["area"] / (self.size[0] * self.size[1]), 4),
                **dict(zip(sides, row["box"], strict=True)),
            }
            for row in self._rows()
        ]

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "label": self.name_of(int(index)),
                "class": int(index),
                "score": round(float(score), 4),
                "area": mask.area,
                "box": list(mask.box),
            }
            for index, score, mask in zip(self.classes, self.scores, self.masks, strict=True)
        ]

    def to_coco(self, image_id: int = 0) -> list[dict[str, Any]]:
        """COCO's results for one picture: ``segmentation`` in run lengths; ``category_id`` is the class's index."""
        return [
            {
                "image_id": image_id,
                "category_id": int(index),
                "segmentation": mask.encode(self.size),
                "bbox": [mask.x, mask.y, mask.box[2] - mask.x, mask.box[3] - mask.y],
                "area": mask.area,
                "score": round(float(score), 5),
            }
            for index, score, mask in zip(self.classes, self.scores, self.masks, strict=True)
        ]

    def draw(self, picture: ImageSource, *, legend: bool = True) -> Picture:
        """``picture`` with the segments tinted and outlined, and a ``legend`` of the colours below it.

        Whole classes have the colour of their class, as have things where the model knows several; things of the only
        class are told apart by their colours.
        """
        from edgevision.imaging.drawing import Marker, with_legend

        usual = float(np.median(np.sqrt(self.areas))) if len(self) else None
        marker = Marker(Image.fromarray(to_array(read_image(picture))), usual)
        if marker.image.size != self.size[::-1]:
            raise ValueError(f"the picture is {marker.image.size}, and the masks are of one of {self.size[::-1]}")
        colors = self._colors()
        marker.areas(self.instance_map, colors)
        if self._has_class_colors and not self.whole_classes and len(self) <= _LABELLED:
            for row, mask in enumerate(self.masks):
                x1, y1, x2, y2 = mask.box
                name = f"{self.name_of(int(self.classes[row]))} {100 * self.scores[row]:.0f}"
                marker.label((x1, y1, x2, y2), name, colors[row])
        return Picture.read(with_legend(marker.image, self._legend()) if legend else marker.image)

    @property
    def _has_class_colors(self) -> bool:
        """Whether a segment has the colour of its class; things of the only class are told apart by theirs."""
        return self.whole_classes or len(set(self.classes.tolist())) > 1 or len(self.labels) > 2

    def _colors(self) -> "list[tuple[int, int, int]]":
        """The colour of each segment."""
        from edgevision.imaging.drawing import class_color, indices_apart

        if self._has_class_colors:
            return [class_color(index) for index in self.classes.tolist()]
        return [class_color(index) for index in indices_apart(self.instance_map, len(self))]

    def _legend(self) -> list[tuple[str, tuple[int, int, int]]]:
        """What each colour is, the largest first."""
        from edgevision.imaging.drawing import class_color

        by_class = self._has_class_colors
        areas = {int(index): int(self.areas[self.classes == index].sum()) for index in np.unique(self.classes)}
        entries = []
        for index in sorted(areas, key=lambda index: -areas[index]):
            share = f"{100 * areas[index] / (self.size[0] * self.size[1]):.1f} %"
            count = "" if self.whole_classes else f"{int((self.classes == index).sum())}, "
            entries.append((f"{self.name_of(index)} {count}{share}", class_color(index) if by_class else _SEVERAL))
        return entries

    def crops(self, picture: ImageSource) -> list[Picture]:
        """What is in each segment, of ``picture``: all else in its box is transparent."""
        whole = Picture.read(picture)
        cut = []
        for mask in self.masks:
            pixels = whole.pixels[mask.window]
            opaque = whole.maximum if whole.alpha is None else whole.alpha[mask.window]
            cut.append(whole.with_pixels(pixels, np.where(mask.pixels, opaque, 0).astype(pixels.dtype)))
        return cut

    def to_pillow(self) -> Image.Image:
        """The mask as a picture: classes in the colours of :meth:`draw` (mode P, 255 is of no class), or the numbers of
        things in 16 bits (mode I;16)."""
        if not self.whole_classes:
            return Image.fromarray(self.instance_map.astype(np.uint16))
        if self.class_map.dtype != np.uint8:
            return Image.fromarray(self.class_map)
        image = Image.fromarray(self.class_map)
        image.putpalette(self._palette())
        return image

    def _palette(self) -> list[int]:
        from edgevision.imaging.drawing import class_color

        colors = [class_color(index) for index in range(256)]
        colors[255] = (224, 224, 224)
        if self.background is not None:
            colors[self.background] = (0, 0, 0)
        return [value for color in colors for value in color]

    def save(self, path: str | os.PathLike[str], *, force: bool = True) -> None:
        """Write it as .json, as the lines of a .csv, or as a mask in .png; raises as :func:`.save_text`."""
        from edgevision.runtime.tasks.result_files import save_text

        target = Path(path)
        ending = target.suffix.lower()
        if ending == ".png":
            with atomic_file(target, force=force) as temporary:
                self.to_pillow().save(temporary, "PNG", optimize=False)
        elif ending in (".json", ".csv"):
            save_text(target, self.to_dict(), self.to_rows(), force=force)
        else:
            raise OutputError(f"masks are written as .png, .json or .csv, not {target.name!r}; draw() makes a picture")

    def compare(self, reference: "Segmentation") -> dict[str, float]:
        """``miou`` of the classes of either in percent; ``f1`` of things that overlap by 0.75 and more.

        Raises:
            ValueError: they are of pictures of different sizes.
        """
        if self.size != reference.size:
            raise ValueError(f"masks of one picture are compared, not of {self.size} and {reference.size}")
        if not self.whole_classes:
            return {"f1": 100 * self._f1(reference)}
        known = set(self.classes.tolist()) | set(reference.classes.tolist())
        ours = {int(index): mask for index, mask in zip(self.classes, self.masks, strict=True)}
        theirs = {int(index): mask for index, mask in zip(reference.classes, reference.masks, strict=True)}
        each = [
            mask_overlap([ours[index]], [theirs[index]])[0, 0] if index in ours and index in theirs else 0.0
            for index in known
        ]
        return {"miou": 100 * float(np.mean(each)) if each else 100.0}

    def _f1(self, reference: "Segmentation") -> float:
        if not len(self) or not len(reference):
            return float(len(self) == len(reference))
        overlap = mask_overlap(self.masks, reference.masks)
        overlap[self.classes[:, None] != reference.classes[None]] = -1
        pairs = pair_up(overlap, np.argsort(-self.scores, kind="stable"), 0.75)
        return 2 * len(pairs) / (len(self) + len(reference))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return requested_array(self.class_map if self.whole_classes else self.instance_map, dtype, copy, shared=True)

    def _repr_png_(self) -> bytes:
        return Picture.read(self.to_pillow().convert("RGB"))._repr_png_()

    def __repr__(self) -> str:
        counts: dict[str, int] = {}
        for name in self.names:
            counts[name] = counts.get(name, 0) + 1
        words = [name if self.whole_classes else f"{count} {name}" for name, count in counts.items()]
        return f"Segmentation({', '.join(words) or 'nothing'})"


def _means(values: NDArray[np.float32], ids: NDArray[np.int32]) -> NDArray[np.float64]:
    """The mean of ``values`` (H, W) where ``ids`` (H, W) holds each number; of one that it does not hold, 0."""
    count = int(ids.max(initial=0)) + 1
    sums, pixels = np.zeros(count), np.zeros(count, np.int64)
    for rows in row_strips(*ids.shape):  # bincount() makes float64 and int64 of what it is given
        sums += np.bincount(ids[rows].ravel(), values[rows].ravel(), count)
        pixels += np.bincount(ids[rows].ravel(), minlength=count)
    means: NDArray[np.float64] = sums / np.maximum(pixels, 1)
    return means
