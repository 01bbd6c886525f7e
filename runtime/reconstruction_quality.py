"""How much of a picture an autoencoder's code keeps: reconstructions beside what the network was given."""

from collections.abc import Mapping
from dataclasses import field

import numpy as np

from edgevision.datasets import ImageFolder
from edgevision.errors import DatasetError, ImageError
from edgevision.images import to_array
from edgevision.metadata import Color
from edgevision.metrics import psnr_db, ssim
from edgevision.preprocessing import resize
from edgevision.progress import track
from edgevision.records import Record, record
from edgevision.runtime.pipelines.planes import luma_of, unit
from edgevision.runtime.pipelines.reconstruct import Reconstructor


@record
class ReconstructedPicture(Record):
    """One picture at the network's size; ``psnr`` in dB, ``ssim`` of the luma, ``mse`` of samples in 0..1."""

    name: str
    psnr: float
    ssim: float
    mse: float


@record
class ReconstructionReport(Record):
    """Means over all pictures of the figures of :class:`ReconstructedPicture`."""

    images: int
    psnr: float
    ssim: float
    mse: float
    pictures: tuple[ReconstructedPicture, ...]
    failures: Mapping[str, str] = field(default_factory=dict)


def evaluate_reconstructor(
    reconstruct: Reconstructor, data: ImageFolder, *, quiet: bool = False
) -> ReconstructionReport:
    """Reconstruct every picture of ``data`` and compare it with itself, brought to the network's size and colours.

    Raises:
        DatasetError: not one readable picture.
    """
    spec = reconstruct.metadata.image
    assert spec is not None
    color = Color.GRAY if spec.color is Color.GRAY else Color.RGB
    pictures: list[ReconstructedPicture] = []
    failures: dict[str, str] = {}
    for index, name in track(enumerate(data.names), len(data), "evaluating", quiet=quiet):
        try:
            image = resize(data.image(index), spec)
            given = to_array(image, color)
        except ImageError as error:
            failures[name] = str(error)
            continue
        restored = reconstruct(image)[0].pixels
        good, found = unit(given), unit(restored)
        pictures.append(
            ReconstructedPicture(
                name=name,
                psnr=psnr_db(good, found),
                ssim=ssim(luma_of(good), luma_of(found)),
                mse=float(np.mean((good - found) ** 2)),
            )
        )
    if not pictures:
        raise DatasetError(f"not one of the {len(data)} pictures could be read")
    return ReconstructionReport(
        images=len(pictures),
        psnr=float(np.mean([picture.psnr for picture in pictures])),
        ssim=float(np.mean([picture.ssim for picture in pictures])),
        mse=float(np.mean([picture.mse for picture in pictures])),
        pictures=tuple(pictures),
        failures=failures,
    )
