"""How good a codec is: pictures compressed in every quality, decompressed, and compared with themselves."""

from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageDataset, is_held_out
from edgevision.imaging.pictures import Picture
from edgevision.runtime.files.batch import failure_message
from edgevision.runtime.tasks.compression.compressor import CompressedPicture, Compressor
from edgevision.runtime.tasks.compression.decompressor import Decompressor
from edgevision.runtime.tasks.compression.other_half import open_codec
from edgevision.runtime.tasks.evaluation import (
    EvaluationOptions,
    QualityReport,
    measure_each,
    none_left,
    picture_name,
)
from edgevision.runtime.tasks.paired_quality import Figures, mean_figures


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
    with open_codec(half, options.judge, options.threads) as (compressor, decompressor):

        def measure(index: int) -> CompressedPictureQuality:
            picture = Picture.read(data.image(index))
            files = compressor.every_quality(picture)
            qualities = tuple(restored_figures(decompressor, file, picture) for file in files)
            return CompressedPictureQuality(name=names[index], qualities=qualities)

        def failed(index: int, error: Exception) -> None:
            failures[names[index]] = failure_message(names[index], error)

        pictures = [picture for _, picture in measure_each(indices, measure, failed, quiet=options.quiet)]
    if not pictures:
        raise none_left(len(indices), failures)
    return CompressionReport(
        images=len(pictures),
        qualities=tuple(
            mean_figures([picture.qualities[number] for picture in pictures])
            for number in range(len(pictures[0].qualities))
        ),
        pictures=tuple(pictures),
        failures=failures,
    )


def restored_figures(decompressor: Decompressor, file: CompressedPicture, picture: Picture) -> Figures:
    """``bits_per_pixel`` of a file, and how near what comes out of it is to the ``picture`` that it is of."""
    return {"bits_per_pixel": file.bits_per_pixel, **decompressor(file).compare(picture)}
