"""How good a codec is: pictures compressed in every quality, decompressed, and compared with themselves."""

from collections.abc import Mapping

import numpy as np

from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageDataset, is_held_out
from edgevision.imaging.pictures import Picture
from edgevision.runtime.files.batch import failure_message
from edgevision.runtime.tasks.compression.compressor import Compressor
from edgevision.runtime.tasks.compression.decompressor import Decompressor
from edgevision.runtime.tasks.compression.other_half import open_other_half
from edgevision.runtime.tasks.evaluation import (
    EvaluationOptions,
    QualityReport,
    measure_each,
    none_left,
    picture_name,
)

Figures = Mapping[str, float]


@record
class CompressedPictureQuality(Record):
    """One picture in every quality, the smallest files first: ``bits_per_pixel``, ``psnr`` in dB, ``ssim`` of the luma,
    all of the whole file."""

    name: str
    qualities: tuple[Figures, ...]


@record
class CompressionReport(QualityReport):
    """Means over all pictures of the figures of :class:`CompressedPictureQuality`, for each quality."""

    qualities: tuple[Figures, ...]
    pictures: tuple[CompressedPictureQuality, ...]

    def headline(self) -> str:
        """Bits and PSNR of every quality."""
        return "  ".join(f"{one['psnr']:.2f} dB at {one['bits_per_pixel']:.3f} bpp" for one in self.qualities)

    def table(self) -> str:
        """The means, one quality a line."""
        lines = [f"{'quality':>7}  {'bits a pixel':>12}  {'psnr':>9}  {'ssim':>6}"]
        for number, one in enumerate(self.qualities, 1):
            lines.append(f"{number:>7}  {one['bits_per_pixel']:12.4f}  {one['psnr']:6.3f} dB  {one['ssim']:.4f}")
        return "\n".join(lines)


def evaluate_codec(
    half: Compressor | Decompressor, data: ImageDataset, options: EvaluationOptions
) -> CompressionReport:
    """Compress every picture of ``data``, or the tenth that training leaves out, and decompress it.

    The other half of the codec is ``options.judge``, or the one that ships.

    Raises:
        DatasetError: not one readable picture.
        InputError: the half that ships is of another codec.
        ModelFileError: the judge is not the other half, or of another codec.
    """
    names = [picture_name(data, index) for index in range(len(data))]
    indices = [index for index, name in enumerate(names) if is_held_out(name) or not options.held_out]
    failures: dict[str, str] = {}
    with open_other_half(half, options.judge, options.threads) as other:
        compress, decompress = (half, other) if isinstance(half, Compressor) else (other, half)

        def measure(index: int) -> CompressedPictureQuality:
            picture = Picture.read(data.image(index))
            qualities = tuple(
                {"bits_per_pixel": compressed.bits_per_pixel, **decompress(compressed).compare(picture)}
                for compressed in compress.every_quality(picture)
            )
            return CompressedPictureQuality(name=names[index], qualities=qualities)

        def failed(index: int, error: Exception) -> None:
            failures[names[index]] = failure_message(names[index], error)

        pictures = [picture for _, picture in measure_each(indices, measure, failed, quiet=options.quiet)]
    if not pictures:
        raise none_left(len(indices), failures)
    return CompressionReport(
        images=len(pictures),
        qualities=tuple(
            {name: float(np.mean([picture.qualities[number][name] for picture in pictures])) for name in figures}
            for number, figures in enumerate(pictures[0].qualities)
        ),
        pictures=tuple(pictures),
        failures=failures,
    )
