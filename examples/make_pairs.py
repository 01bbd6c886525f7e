"""Make pairs of a drawing and a picture, from which `edgevision train translate` learns to turn one into the other.

    python examples/make_pairs.py edges photos pairs         Canny's edges of photographs (needs OpenCV)
    python examples/make_pairs.py soft-edges photos pairs    edges as a network sees them (needs the training extra)
    python examples/make_pairs.py points faces68.zip pairs   the lines between 68 points of a face
    python examples/make_pairs.py masks nuclei.zip pairs     things in one colour on another, as in the picture

The drawings are pairs/A/NAME.png, the pictures pairs/B/NAME.png. A trained network is to be given such drawings:

    edgevision train translate --data pairs --given edges --made photograph
    edgevision run translate pairs/A/rocket.png --model photographs.onnx
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edgevision.data.datasets import ImageFolder
from edgevision.data.mask_annotations import MaskedFolder
from edgevision.data.point_annotations import PointedFolder
from edgevision.imaging.images import to_array
from edgevision.runtime.tasks.keypoints.schemes import SCHEMES

if TYPE_CHECKING:
    from edgevision.training.classifier_features import ClassifierFeatures

FACE_SIDE = 144
"""Of the square round a face, in pixels."""

FACE_MARGIN = 1.6
"""That square's side, where the points spread over 1."""

CLASSIFIER = Path(__file__).parent / "checkpoints" / "classifier.pt"
"""Of which the maps are that soft edges are found in."""

MIRRORED = 32
"""Pixels around a picture for them."""

THRESHOLDS = (30, 90)
"""Of Canny's edges: gradients that go an edge on, and that begin one."""

Pixels = NDArray[np.uint8]


class Pair(NamedTuple):
    """Two pictures uint8 (H, W, 3) of one size, and the file's name that they are of."""

    name: str
    drawing: Pixels
    picture: Pixels


def edge_pairs(path: Path) -> Iterator[Pair]:
    """Photographs and their edges, white on black."""
    for folder in _splits(path):
        for index, name in enumerate(folder.names):
            photo = to_array(folder.image(index))
            yield Pair(name, drawn_edges(photo), photo)


def drawn_edges(photo: Pixels) -> Pixels:
    """Canny's edges of a photograph that was blurred by one pixel."""
    import cv2

    gray = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (0, 0), 1)
    edges = cv2.Canny(gray, *THRESHOLDS, L2gradient=True)
    return np.repeat(np.asarray(edges, np.uint8)[:, :, None], 3, axis=2)


def soft_edge_pairs(path: Path) -> Iterator[Pair]:
    """Photographs and where the maps of the classifier that ships change, the brighter the more, on black."""
    from edgevision.training.classifier_features import ClassifierFeatures

    features = ClassifierFeatures.read(CLASSIFIER)
    for folder in _splits(path):
        for index, name in enumerate(folder.names):
            photo = to_array(folder.image(index))
            yield Pair(name, drawn_soft_edges(photo, features), photo)


def drawn_soft_edges(photo: Pixels, features: "ClassifierFeatures") -> Pixels:
    """Edges at three scales, put together as Xie & Tu 2015 do with what they learn from outlines drawn by hand."""
    import torch

    # The zeros around a picture would be an edge.
    seen = np.pad(photo, ((MIRRORED, MIRRORED), (MIRRORED, MIRRORED), (0, 0)), "symmetric")
    with torch.inference_mode():
        stages = features(torch.from_numpy(seen.transpose(2, 0, 1)[None] / np.float32(255))).stages
    strengths = []
    for stage in stages:
        down, across = np.gradient(stage[0].numpy(), axis=(1, 2))
        strength = Image.fromarray(np.sqrt((down**2 + across**2).sum(axis=0)))
        enlarged = np.asarray(strength.resize((seen.shape[1], seen.shape[0]), Image.Resampling.BICUBIC))
        enlarged = enlarged[MIRRORED:-MIRRORED, MIRRORED:-MIRRORED]
        strengths.append(enlarged / max(float(np.percentile(enlarged, 99)), 1e-6))
    # What changes at all scales is the outline of something; texture does in the first map alone.
    together = np.prod(np.clip(strengths, 0, 1), axis=0) ** (1 / len(strengths))
    return np.repeat((255 * together + 0.5).astype(np.uint8)[:, :, None], 3, axis=2)


def point_pairs(path: Path) -> Iterator[Pair]:
    """Squares round faces, and the lines between their points, white on black."""
    for folder in _splits(path):
        pointed = PointedFolder(folder)
        for name in pointed.names:
            points = pointed.things(name).points[0]
            low, high = points.min(axis=0), points.max(axis=0)
            side = FACE_MARGIN * float((high - low).max())
            corner = (low + high) / 2 - side / 2
            # Beyond the frame its border goes on.
            frame = int(side)
            photo = np.pad(to_array(pointed.folder.picture(name)), ((frame, frame), (frame, frame), (0, 0)), "edge")
            box = (*(corner + frame), *(corner + frame + side))
            size = (FACE_SIDE, FACE_SIDE)
            square = Image.fromarray(photo).transform(size, Image.Transform.EXTENT, box, Image.Resampling.BICUBIC)
            yield Pair(name, drawn_face((points - corner) * (FACE_SIDE / side), FACE_SIDE), np.asarray(square))


def drawn_face(points: NDArray[np.floating], side: int) -> Pixels:
    """Lines between the 68 points (68, 2), x and y in pixels, of a face in a square."""
    # Drawn larger and shrunk, lines have smooth edges.
    image = Image.new("L", (4 * side, 4 * side))
    draw = ImageDraw.Draw(image)
    for start, end in SCHEMES["face68"].skeleton:
        draw.line([*map(float, 4 * points[start]), *map(float, 4 * points[end])], fill=255, width=6)
    return np.asarray(image.reduce(4).convert("RGB"))


def mask_pairs(path: Path) -> Iterator[Pair]:
    """Pictures and their masks: things in their mean colour, with a gap where two touch, on that of the rest."""
    for folder in _splits(path):
        masked = MaskedFolder(folder)
        for name in masked.names:
            picture = to_array(masked.folder.picture(name))
            yield Pair(name, drawn_things(picture, masked.instance_map(name)), picture)


def drawn_things(picture: Pixels, numbers: NDArray[np.int64]) -> Pixels:
    """The things of a picture, by their ``numbers`` (H, W) of which 0 is none, without what is in them."""
    inside = (numbers > 0) & ~_borders(numbers)
    colors = [picture[where].mean(axis=0) if where.any() else np.zeros(3) for where in (~inside, inside)]
    return np.round(np.stack(colors)[inside.astype(int)]).astype(np.uint8)


def _borders(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where the thing to the right or below is another."""
    borders = np.zeros(numbers.shape, bool)
    for step, here in (((0, 1), borders[:, :-1]), ((1, 0), borders[:-1])):
        moved = numbers[step[0] :, step[1] :]
        own = numbers[: moved.shape[0], : moved.shape[1]]
        here |= (own != moved) & (own > 0) & (moved > 0)
    return borders


def _splits(path: Path) -> list[ImageFolder]:
    """All that the data are divided into."""
    folder = ImageFolder(path)
    return [folder.another_split((split,)) for split in folder.splits] or [folder]


KINDS = {"edges": edge_pairs, "soft-edges": soft_edge_pairs, "points": point_pairs, "masks": mask_pairs}


def main(kind: str, source: str, target: str) -> None:
    for name, drawing, picture in KINDS[kind](Path(source)):
        for side, pixels in (("A", drawing), ("B", picture)):
            path = Path(target) / side / f"{Path(name).stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        print(f"{name}: a pair of {picture.shape[1]}x{picture.shape[0]}")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    main(*sys.argv[1:])
