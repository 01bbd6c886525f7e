"""How good a restoration model is: good pictures are damaged on purpose, restored, and compared with themselves."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import ImageError
from edgevision.core.records import Record, record
from edgevision.data.datasets import ImageDataset, ImageFolder, is_held_out
from edgevision.data.degradations import draw_holes, shrink, underexpose
from edgevision.data.noise import add_noise_of_kind
from edgevision.data.noise_kinds import NoiseKind
from edgevision.data.picture_pairs import halves
from edgevision.imaging.hole_filling import fill_smoothly
from edgevision.imaging.lab import to_lab
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import Array, as_float, luma_of
from edgevision.metrics.figures import colorfulness, psnr_db, ssim
from edgevision.runtime.files.batch import failure_message
from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport, measure_each, none_left
from edgevision.runtime.tasks.paired_quality import Figures, mean_figures
from edgevision.runtime.tasks.restoration.inpainter import Inpainter
from edgevision.runtime.tasks.restoration.restorer import Restorer
from edgevision.runtime.tasks.restoration.spec import RestorationKind
from edgevision.runtime.tasks.restoration.tiled_network import TiledNetwork

DEFAULTS = EvaluationOptions()

# A gray photograph comes back as it is; one such would make a mean of infinity.
_MOST_DB = 60.0

_JUDGED = ("psnr_ab", "psnr_y", "psnr", "style_distance", "content_distance")

# The luma of BT.601 reaches from 16 to 235 in the super-resolution literature.
_STUDIO_RANGE = 219 / 255


@record
class PictureQuality(Record):
    """Figures of one picture, in dB but ``ssim``; ``before`` are those of what it was restored from."""

    name: str
    figures: Mapping[str, float]
    before: Mapping[str, float]


@record
class RestorationReport(QualityReport):
    """Means over all pictures.

    ``psnr`` is over all samples, for inpainting over those in the holes; ``ssim`` is of the luma. Colorizing has
    ``psnr_ab`` of a and b of CIE Lab, the peak being 255, and ``colorfulness`` (Hasler & Süsstrunk 2003, of which 15 is
    slightly and 82 highly colourful), before which there is none. Upscaling has
    ``psnr_y`` of the luma too, and ``psnr_y_studio`` as the literature gives it: luma in 16..235, a border of the
    scale left out. ``before`` are the figures of the damaged picture: noisy, dark, bicubic, or smoothly filled.
    Painting has ``style_distance`` from the painting and ``content_distance`` from the photograph, of which less is
    better, and ``before`` are those of the photograph.
    """

    damage: str
    figures: Mapping[str, float]
    before: Mapping[str, float]
    pictures: tuple[PictureQuality, ...]

    def headline(self) -> str:
        """The means after restoring."""
        return "  ".join(f"{name} {value:.3f}{_unit(name)}" for name, value in self.figures.items())

    def table(self) -> str:
        """The means before and after, one figure a line."""
        lines = [f"{'':<16}  {'before':>9}  {'restored':>9}   {self.damage}"]
        for name, value in self.figures.items():
            unit = _unit(name)
            places = 4 if name == "ssim" else 3
            lines.append(f"{name:<16}  {self.before[name]:9.{places}f}  {value:9.{places}f}{unit}")
        return "\n".join(lines)


def judged_figure(figures: Mapping[str, float]) -> str:
    """The one of the figures that says how good a restorer is."""
    return next(name for name in _JUDGED if name in figures)


def _unit(figure: str) -> str:
    return " dB" if figure.startswith("psnr") else ""


def evaluate_restorer(
    restorer: Restorer | Inpainter,
    data: ImageFolder,
    options: EvaluationOptions = DEFAULTS,
    *,
    show: Callable[[str, Array], None] = lambda name, restored: None,
) -> RestorationReport:
    """Damage, restore and compare every picture of ``data``, or the tenth that training leaves out.

    Noise of one kind is added, holes of one kind are torn, or there is less light, by task. Pictures to upscale are
    shrunk by Pillow's bicubic filter, unless the data holds pairs ``NAME_LR`` and ``NAME_HR``; of pictures to
    translate, each is a pair side by side. One generator of
    ``options.seed`` serves all pictures in the order of their names. ``show`` is given each that is restored, float32
    (height, width, channels) in 0..1, by its name.

    Raises:
        DatasetError: not one readable picture.
    """
    kind = restorer.metadata.task
    compare = _COMPARISONS[kind]
    pairs = list(_pairs(data, held_out=options.held_out, kind=kind))
    generator = np.random.default_rng(options.seed)

    def measure(pair: Pair) -> Compared:
        _, good, small = pair
        picture = Picture.read(data.image(good))
        given = Picture.read(data.image(small)) if small is not None else None
        return compare(restorer, picture, given, options, generator)

    damage = _describe(restorer, options, paired=pairs[0][2] is not None) if pairs else ""
    return compared_pictures(pairs, measure, damage, show=show, quiet=options.quiet, in_order=kind in _DRAWN)


Job = TypeVar("Job", bound=tuple[Any, ...])
"""What is to be compared, of which the first is its name."""


def compared_pictures(
    jobs: Sequence[Job],
    measure: Callable[[Job], "Compared"],
    damage: str,
    *,
    show: Callable[[str, Array], None],
    quiet: bool,
    in_order: bool = False,
) -> RestorationReport:
    """The means of what ``measure`` finds; :class:`DatasetError` where it finds nothing of any of the ``jobs``."""
    failures: dict[str, str] = {}

    def measured(job: Job) -> PictureQuality:
        figures, before, restored = measure(job)
        show(job[0], restored)
        return PictureQuality(name=job[0], figures=figures, before=before)

    def failed(job: Job, error: Exception) -> None:
        failures[job[0]] = failure_message(job[0], error)

    scores = [score for _, score in measure_each(jobs, measured, failed, quiet=quiet, in_order=in_order)]
    if not scores:
        raise none_left(len(jobs), failures)
    return RestorationReport(
        images=len(scores),
        damage=damage,
        figures=mean_figures([score.figures for score in scores]),
        before=mean_figures([score.before for score in scores]),
        pictures=tuple(scores),
        failures=failures,
    )


_STRENGTHS = {
    NoiseKind.CAMERA: ", sigma {:g} on middle gray",
    NoiseKind.JPEG: " of quality 10 to 95",
    NoiseKind.IMPULSE: " on 1 to 20 % of the pixels",
    NoiseKind.MIXED: ", sigma up to {:g}",
}

Compared = tuple[Figures, Figures, Array]
"""Figures of a restored picture, of what it was restored from, and the restored samples."""

Pair = tuple[str, int, int | None]
"""Name, position of the good picture, and for ready pairs of the small one."""


def _denoised(
    restorer: Restorer, picture: Picture, _: Picture | None, options: EvaluationOptions, generator: np.random.Generator
) -> Compared:
    good = as_float(picture.pixels)
    noisy = add_noise_of_kind(options.noise, good, options.sigma, generator)
    restored = _restored(restorer, noisy)
    return _figures(good, restored), _figures(good, noisy.clip(0, 1)), restored


def _brightened(
    restorer: Restorer, picture: Picture, _: Picture | None, options: EvaluationOptions, generator: np.random.Generator
) -> Compared:
    dark = underexpose(_8_bit(picture), generator)
    good = as_float(_8_bit(picture))
    restored = _restored(restorer, dark)
    return _figures(good, restored), _figures(good, as_float(dark)), restored


def _upscaled(
    restorer: Restorer,
    picture: Picture,
    given: Picture | None,
    options: EvaluationOptions,
    generator: np.random.Generator,
) -> Compared:
    network = restorer.network
    assert isinstance(network, TiledNetwork)
    scale = network.scale
    large = _8_bit(picture)
    if given is None:
        if min(picture.height, picture.width) < scale:
            raise ImageError(f"a picture of {picture.width}x{picture.height} pixels cannot be shrunk {scale} times")
        height, width = (side // scale * scale for side in (picture.height, picture.width))
        large = large[:height, :width]
        low = np.asarray(shrink(_pillow(large), scale))
        low = low.reshape(*low.shape[:2], -1)
    else:
        low = _8_bit(given)
        if (low.shape[0] * scale, low.shape[1] * scale, low.shape[2]) != large.shape:
            raise ImageError(
                f"the pair is {low.shape} and {large.shape} (height, width, channels), which is not {scale} times"
            )
    colors = np.concatenate([rows for _, rows in network.restore(low, network_colors=True)])
    interpolated = np.asarray(_pillow(low).resize(large.shape[1::-1], Image.Resampling.BICUBIC))
    before = _figures(as_float(large), as_float(interpolated.reshape(large.shape)))
    restored = _restored(restorer, low)
    figures = _figures(as_float(large), restored)
    target = luma_of(large)
    for result, luma in (
        (figures, network.tensors.luma(colors).clip(0, 1)),
        (before, luma_of(interpolated.reshape(large.shape))),
    ):
        result["psnr_y"] = psnr_db(target, luma)
        inside = np.s_[scale:-scale, scale:-scale] if min(target.shape) > 2 * scale else np.s_[:, :]
        result["psnr_y_studio"] = psnr_db(target[inside] * _STUDIO_RANGE, luma[inside] * _STUDIO_RANGE)
    return figures, before, restored


def _inpainted(
    inpainter: Inpainter,
    picture: Picture,
    _: Picture | None,
    options: EvaluationOptions,
    generator: np.random.Generator,
) -> Compared:
    holes = draw_holes(options.holes, picture.height, picture.width, generator)
    if not holes.any():
        raise ImageError("a single pixel has nothing to be filled from")
    good = as_float(picture.pixels)
    # What lies under the mask is not there to be used.
    torn = np.where(holes[:, :, None], np.float32(0), good).astype(np.float32)
    smooth = fill_smoothly(torn, (~holes[:, :, None]).astype(np.float32))
    results: list[Figures] = []
    filled: Array = inpainter.fill(torn, holes)
    for restored in (filled, smooth):
        similarity = ssim(luma_of(good), luma_of(restored))
        results.append({"psnr": psnr_db(good[holes], restored[holes]), "ssim": similarity})
    return results[0], results[1], filled


def _colorized(
    restorer: Restorer, picture: Picture, _: Picture | None, options: EvaluationOptions, generator: np.random.Generator
) -> Compared:
    good = np.broadcast_to(as_float(_8_bit(picture)), (picture.height, picture.width, 3))
    gray = luma_of(_8_bit(picture))[:, :, None]
    restored = _restored(restorer, gray)
    figures, before = (
        {
            "psnr_ab": min(psnr_db(_unit_ab(good), _unit_ab(made)), _MOST_DB),
            "psnr": min(psnr_db(good, made), _MOST_DB),
            "colorfulness": colorfulness(made),
        }
        for made in (restored, np.repeat(gray, 3, axis=2))
    )
    return figures, before, restored


def _translated(
    restorer: Restorer, picture: Picture, _: Picture | None, options: EvaluationOptions, generator: np.random.Generator
) -> Compared:
    given, wanted = map(as_float, halves(_8_bit(picture)))
    made = _restored(restorer, given)
    return _figures(wanted, made), _figures(wanted, given), made


def _unit_ab(rgb: Array) -> Array:
    unit: Array = to_lab(rgb)[:, :, 1:] / np.float32(255)
    return unit


_COMPARISONS: Mapping[str, Callable[..., Compared]] = {
    RestorationKind.DENOISE: _denoised,
    RestorationKind.BRIGHTEN: _brightened,
    RestorationKind.UPSCALE: _upscaled,
    RestorationKind.INPAINT: _inpainted,
    RestorationKind.COLORIZE: _colorized,
    "translate": _translated,
}


_DRAWN = (RestorationKind.DENOISE, RestorationKind.BRIGHTEN, RestorationKind.INPAINT)
"""Those whose damage is drawn from the one generator."""


def _restored(restorer: Restorer, samples: Any) -> Array:
    return np.concatenate([rows for _, rows in restorer.restore(samples)]).clip(0, 1)


def _figures(good: Array, restored: Array) -> dict[str, float]:
    return {"psnr": psnr_db(good, restored), "ssim": ssim(luma_of(good), luma_of(restored))}


def _8_bit(picture: Picture) -> NDArray[np.uint8]:
    pixels: NDArray[Any] = picture.pixels
    return pixels if pixels.dtype == np.uint8 else (as_float(pixels) * 255 + 0.5).astype(np.uint8)


def _pillow(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def holds_pairs(data: ImageDataset) -> bool:
    """Whether there are ready pairs of a small and a large picture among them."""
    return any(PurePosixPath(name).stem.endswith("_LR") for name in getattr(data, "names", ()))


def _pairs(data: ImageFolder, *, held_out: bool, kind: str) -> Iterator[Pair]:
    stems = {str(PurePosixPath(name).with_suffix("")): index for index, name in enumerate(data.names)}
    found = [(stem, index) for stem, index in stems.items() if stem.endswith("_HR") and stem[:-3] + "_LR" in stems]
    if kind == RestorationKind.UPSCALE and found:
        yield from ((stem[:-3], index, stems[stem[:-3] + "_LR"]) for stem, index in found)
        return
    for index, name in enumerate(data.names):
        if is_held_out(name) or not held_out:
            yield name, index, None


def _describe(restorer: Restorer | Inpainter, options: EvaluationOptions, *, paired: bool) -> str:
    kind = restorer.metadata.task
    if kind == RestorationKind.DENOISE:
        if options.noise is NoiseKind.WHITE:
            return f"Gaussian noise, sigma {options.sigma:g}, seed {options.seed}, not clipped"
        return f"{options.noise} noise{_STRENGTHS[options.noise].format(options.sigma)}, seed {options.seed}"
    if kind == RestorationKind.INPAINT:
        return f"{options.holes}, seed {options.seed}"
    if kind == RestorationKind.COLORIZE:
        return "without its colours"
    if kind == RestorationKind.BRIGHTEN:
        return f"1.5 to 4.5 stops less light, seed {options.seed}"
    if paired or kind == "translate":
        return "pairs of the data"
    return f"shrunk {restorer.network.scale} times, Pillow bicubic"
