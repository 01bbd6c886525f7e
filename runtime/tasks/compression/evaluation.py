"""How good a codec is: pictures compressed in every quality, decompressed, and compared with themselves."""

from collections.abc import Mapping

import numpy as np

from edgevision.core.errors import InputError, ModelFileError
from edgevision.core.progress import track
from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.imaging.pictures import Picture
from edgevision.runtime.files.batch import each_done, failure_message
from edgevision.runtime.load import load
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.compression.compressor import Compressor
from edgevision.runtime.tasks.compression.decompressor import Decompressor
from edgevision.runtime.tasks.compression.spec import CodecHalf
from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport, none_left

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


def evaluate_compressor(compressor: Compressor, data: ImageFolder, options: EvaluationOptions) -> CompressionReport:
    """Compress every picture of ``data``, or the tenth that training leaves out, and decompress it.

    The other half of the codec is ``options.judge``, or the one that ships.

    Raises:
        DatasetError: not one readable picture.
        InputError: the half that ships is of another codec.
        ModelFileError: the judge is no second half, or of another codec.
    """
    indices = [index for index, name in enumerate(data.names) if is_held_out(name) or not options.held_out]
    failures: dict[str, str] = {}
    with _other_half(compressor, options) as decompress:

        def measure(index: int) -> CompressedPictureQuality:
            picture = Picture.read(data.image(index))
            qualities = tuple(
                {"bits_per_pixel": compressed.bits_per_pixel, **decompress(compressed).compare(picture)}
                for quality in range(1, compressor.qualities + 1)
                for compressed in (compressor(picture, quality=quality),)
            )
            return CompressedPictureQuality(name=data.names[index], qualities=qualities)

        def failed(index: int, error: Exception) -> None:
            failures[data.names[index]] = failure_message(data.names[index], error)

        tracked = track(indices, len(indices), "evaluating", quiet=options.quiet)
        pictures = [picture for _, picture in each_done(tracked, measure, failed)]
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


def _other_half(compressor: Compressor, options: EvaluationOptions) -> Decompressor:
    model = options.judge or shipped_model(CodecHalf.DECOMPRESS)
    half: Decompressor = load(model, threads=options.threads, task=CodecHalf.DECOMPRESS)
    if half.codec.name == compressor.codec.name:
        return half
    half.close()
    if options.judge is not None:
        raise ModelFileError(
            f"{str(model)!r} is the half of the codec {half.codec.name}, not of {compressor.codec.name}"
        )
    raise InputError(
        f"the half that ships is not of this codec, {compressor.codec.name}: name the one that edgevision export --part"
        " decoder made of it with --judge"
    )
