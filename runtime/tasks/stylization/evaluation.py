"""How well a stylization network paints: photographs painted by turns in its styles, beside the paintings."""

from collections.abc import Callable

import numpy as np

from edgevision.core.errors import ModelFileError
from edgevision.data.datasets import ImageFolder, is_held_out
from edgevision.imaging.patch_style import content_distance, patch_quantiles, style_distance
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import Array, as_float
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.packed_arrays import unpacked
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.restoration.evaluation import Compared, RestorationReport, compared_pictures
from edgevision.runtime.tasks.restoration.quality import RestorationQuality
from edgevision.runtime.tasks.stylization.spec import StylizationSpec
from edgevision.runtime.tasks.stylization.stylizer import Stylizer

Job = tuple[str, int, int]
"""Name and position of a photograph, and the number of the style to paint it in."""


def evaluate_stylizer(
    stylizer: Stylizer,
    data: ImageFolder,
    options: EvaluationOptions,
    *,
    show: Callable[[str, Array], None] = lambda name, painted: None,
) -> RestorationReport:
    """Paint every picture of ``data``, or the tenth that training leaves out, in one style each, by turns.

    The seed of ``options`` says with which style the turns begin. Of a model that does not know its paintings, as those
    of others, only the distance from the photographs is told.

    ``show`` is given each that is painted, float32 (height, width, 3) in 0..1, by its name.

    Raises:
        DatasetError: not one readable picture.
        ModelFileError: what it knows of its paintings is damaged.
    """
    paintings = painting_quantiles(stylizer.metadata)
    styles = stylizer.styles or (None,)
    held_out = [index for index, name in enumerate(data.names) if is_held_out(name) or not options.held_out]
    jobs = [(data.names[index], index, turn % len(styles)) for turn, index in enumerate(held_out, options.seed)]

    def measure(job: Job) -> Compared:
        _, index, style = job
        picture = Picture.read(data.image(index))
        photo = np.broadcast_to(as_float(picture.pixels), (picture.height, picture.width, 3))
        painted = as_float(stylizer(picture, style=styles[style]).pixels)
        figures, before = (distances(made, photo, style) for made in (painted, photo))
        return figures, before, painted

    def distances(made: Array, photo: Array, style: int) -> dict[str, float]:
        content = {"content_distance": content_distance(made, photo)}
        if paintings is None:
            return content
        return {"style_distance": style_distance(patch_quantiles(made), paintings[style])} | content

    painted = f"painted by turns in {len(styles)} styles" if len(styles) > 1 else "painted"
    unknown = "; the model does not say of which paintings" if paintings is None else ""
    return compared_pictures(jobs, measure, painted + unknown, show=show, quiet=options.quiet)


def painting_quantiles(metadata: ModelMetadata) -> Array | None:
    """Of each style of the model, float32 (styles, scales, filters, quantiles); ``None`` where it knows no paintings.

    Raises:
        ModelFileError: what it knows of them is damaged.
    """
    spec = metadata.spec_as(StylizationSpec)
    if spec.paintings is None:
        return None
    try:
        quantiles = unpacked(spec.paintings)["quantiles"].astype(np.float32)
    except (KeyError, ValueError) as error:
        raise ModelFileError(f"the metadata of {metadata.name!r} cannot be right: {error}") from error
    if quantiles.ndim != 4 or len(quantiles) != len(spec.styles):
        raise ModelFileError(f"{metadata.name!r} knows paintings {quantiles.shape}, of {len(spec.styles)} styles")
    return quantiles


class StyleQuality(RestorationQuality):
    """The distance of painted pictures from their paintings."""

    unit = ""
    # As much as 5 % of another style, which by eye nobody tells; noise of 16 of 255, which one sees, is 0.0046, and a
    # picture that moved by six pixels differs by 0.0013 either way (benchmarks/RESULTS.md).
    budget = 0.003
    less_is_better = True

    _evaluate = staticmethod(evaluate_stylizer)
