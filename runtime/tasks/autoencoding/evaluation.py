"""How much of a picture an autoencoder's code keeps: reconstructions beside what the network was given."""

import numpy as np

from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageFolder
from edgevision.imaging.images import to_array
from edgevision.imaging.preprocessing import resize
from edgevision.imaging.samples import as_float, luma_of
from edgevision.metrics.figures import psnr_db, ssim
from edgevision.modelfiles.metadata import Color
from edgevision.runtime.files.batch import failure_message
from edgevision.runtime.tasks.autoencoding.autoencoder import Reconstructor
from edgevision.runtime.tasks.evaluation import QualityReport, measure_each, none_left


@record
class ReconstructedPicture(Record):
    """One picture at the network's size; ``psnr`` in dB, ``ssim`` of the luma, ``mse`` of samples in 0..1."""

    name: str
    psnr: float
    ssim: float
    mse: float


@record
class ReconstructionReport(QualityReport):
    """Means over all pictures of the figures of :class:`ReconstructedPicture`."""

    psnr: float
    ssim: float
    mse: float
    pictures: tuple[ReconstructedPicture, ...]

    def headline(self) -> str:
        """PSNR and SSIM."""
        return f"psnr {self.psnr:.3f} dB  ssim {self.ssim:.4f}"

    def table(self) -> str:
        """The means, one figure a line."""
        return f"psnr  {self.psnr:8.3f} dB\nssim  {self.ssim:8.4f}\nmse   {self.mse:8.5f}"


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
    failures: dict[str, str] = {}

    def compare(index: int) -> ReconstructedPicture:
        image = resize(data.image(index), spec)
        good, found = as_float(to_array(image, color)), as_float(reconstruct(image).picture.pixels)
        return ReconstructedPicture(
            name=data.names[index],
            psnr=psnr_db(good, found),
            ssim=ssim(luma_of(good), luma_of(found)),
            mse=float(np.mean((good - found) ** 2)),
        )

    def failed(index: int, error: Exception) -> None:
        failures[data.names[index]] = failure_message(data.names[index], error)

    pictures = [picture for _, picture in measure_each(range(len(data)), compare, failed, quiet=quiet)]
    if not pictures:
        raise none_left(len(data), failures)
    return ReconstructionReport(
        images=len(pictures),
        psnr=float(np.mean([picture.psnr for picture in pictures])),
        ssim=float(np.mean([picture.ssim for picture in pictures])),
        mse=float(np.mean([picture.mse for picture in pictures])),
        pictures=tuple(pictures),
        failures=failures,
    )
