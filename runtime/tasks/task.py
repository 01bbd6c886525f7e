"""What the rest of the code asks of a task; the registry leads from a name to an object of this kind.

A room (a module or folder in :mod:`edgevision.runtime.tasks`) subclasses :class:`Task` and says what is different.
What stands here holds for any graph, whatever it is for: that is the task ``other``. The object of a room is imported
whenever a model's metadata are read, so its module imports nothing heavy, and its methods import what they need.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from edgevision.core.records import Record
from edgevision.modelfiles.graph_check import Specs, check_picture
from edgevision.modelfiles.metadata import Color, ModelMetadata

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgevision.data.datasets import ImageDataset, ImageFolder
    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport
    from edgevision.runtime.tasks.picture_figures import PictureFigures
    from edgevision.runtime.tasks.quality import QualityMeasure

    Batch = Sequence[NDArray[Any]]

Finding = Literal["masks", "boxes"]
"""How the answers of a task say where things are in a picture."""

SAMPLE_SIDE = 96
"""Side of the samples for a network that takes pictures of any size, rounded up to its multiple."""


class EngineNeeds(NamedTuple):
    """How an engine serves a pipeline best: CPU threads where one number is best, and whether buffers are kept."""

    threads: int | None = None
    keep_memory: bool = True


class Stages(NamedTuple):
    """A pipeline's way from an encoded picture to the answer, in the two halves that are timed apart.

    ``answer`` also takes a :class:`.Picture`, as of a video's frame, and gives what the pipeline does.
    """

    decode: Callable[[bytes], Any]
    answer: Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """Everything that is one task's own.

    Attributes:
        name: in the registry, and the verb of ``edgevision run``.
        summary: one line, for ``edgevision run --help``.
        command: the verb, as ``"module:function"``, imported when it is called.
        spec: the record of the task's own part in the metadata; ``None`` where it has none.
        bounds: the least and the largest value of numbers in that part, by their path in it.
        served: its :class:`.served.ServedTask`, as ``"module:object"``; ``None`` where no server offers it.
        describe_network: what completes the metadata at export from the network itself, as ``"module:function"`` on the
            workstation's side; see :mod:`edgevision.exporters.network_facts`. ``None`` where nothing is to be found.
        layouts: the heads that it recognises, by their names, as ``"module:mapping"`` there.
        takes_pictures: whether its pipeline is called with a picture; others draw.
        finds: what its answers hold for each thing in a picture; ``None`` where it finds none.
        ships_for: what the model that ships for it can find, where that is not all that the task is for.
        fills_holes: whether its pipeline, called with a picture and a mask, fills what the mask marks.
        draws_inputs: whether :meth:`samples` are what the model will really be given, so that int8 needs no pictures.
        auxiliary_range: what values the inputs behind the first may have, where that is known.
        any_size: whether a network with dynamic axes is taken to work on pictures of any size.
        scores_first: whether of several outputs that with the scores has to be the first.
        compares_settings: whether it has :meth:`picture_figures`.
        clip_measures: figures by which forms may be judged on a clip with a ground truth instead of on pictures, each
            with what makes its :class:`.quality.QualityMeasure` of (metadata, reference, clip, most frames), as
            ``"module:class"``.
        robustness_figure: of its reports, in percent, what corrupted pictures are judged by; ``None`` where none is.
        trial_pictures: on how many pictures a setting is chosen by them, and on how many others it is judged.
    """

    name: str
    summary: str
    command: str
    spec: type[Record] | None = None
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    served: str | None = None
    describe_network: str | None = None
    layouts: str | None = None
    takes_pictures: bool = True
    finds: Finding | None = None
    ships_for: str | None = None
    fills_holes: bool = False
    draws_inputs: bool = False
    auxiliary_range: tuple[float, float] | None = None
    any_size: bool = False
    scores_first: bool = False
    compares_settings: bool = False
    clip_measures: Mapping[str, str] = field(default_factory=dict)
    robustness_figure: str | None = None
    trial_pictures: tuple[int, int] = (0, 0)

    # What its metadata have to say.

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        """Raise :class:`ValueError` where the metadata cannot be, or do not fit a graph of these inputs and outputs.

        It is called for every file that is opened, so what stands behind may rely on it.
        """
        if metadata.image is not None and len(inputs) == 1:
            check_picture(metadata.image, inputs[0])

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        """What ``edgevision inspect`` shows of its own part, by the name of the line."""
        return {}

    # How a network that does not say so itself is described.

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        """The metadata of a network about to be exported, completed by what follows from its first input.

        Args:
            document: the metadata as in their JSON, as far as they are known.
            shape: the first input's, without the batch.
            given: whether the user gave the shape, which then counts for more than the document.

        Raises:
            InputError: the shape is none that the task can use.
        """
        if len(shape) == 3 and shape[0] in (1, 3) and len(document.get("inputs", ())) < 2:
            return with_picture(document, shape, given=given, fixed=True)
        return document

    def sample_shape(self, metadata: ModelMetadata) -> tuple[int, ...] | None:
        """The shape of a sample of the first input, without the batch, if the metadata tell it."""
        shape = metadata.inputs[0].shape[1:] if metadata.inputs else ("?",)
        if all(isinstance(side, int) for side in shape):
            return tuple(int(side) for side in shape)
        if metadata.image is not None and metadata.image.size is not None:
            return (metadata.image.color.channels, *metadata.image.size)
        if metadata.image is not None and self.any_size:
            side = metadata.tile.padded(SAMPLE_SIDE) if metadata.tile else SAMPLE_SIDE
            return (metadata.image.color.channels, side, side)
        return None

    def input_names(self, metadata: ModelMetadata, count: int) -> list[str]:
        """What the inputs of a network are called that has no names for them."""
        first = "image" if metadata.image is not None else "input"
        return [first, *(f"input_{index}" for index in range(1, count))]

    def output_name(self, metadata: ModelMetadata) -> str:
        """What its first output is called."""
        return "output"

    def keeps_size(self, metadata: ModelMetadata) -> bool:
        """Whether the output is a picture of the input's size or a multiple of it, so that tiles can be joined."""
        return False

    # Inputs to compare engines on.

    def samples(self, metadata: ModelMetadata, shape: tuple[int, ...], count: int, seed: int) -> "Iterator[Batch]":
        """``count`` seeded samples in batches of 16, an array for each input, the first of ``shape`` behind the batch.

        Pictures are noise with the 1/f amplitude spectrum of natural images, see :mod:`.samples`.

        Raises:
            InputError: what the model takes is not known.
        """
        from edgevision.runtime.tasks.samples import picture_samples, tensor_samples

        if metadata.image is None:
            yield from tensor_samples(metadata.inputs, shape, count, seed)
        else:
            with_others = partial(self.with_auxiliary_inputs, metadata)
            yield from picture_samples(metadata.image, shape, count, seed, with_others)

    def with_auxiliary_inputs(
        self, metadata: ModelMetadata, pictures: "NDArray[np.float32]", draw: "np.random.Generator | float"
    ) -> "Batch":
        """Pictures (n, channels, h, w) and the network's other inputs for them, such as masks.

        These are drawn from a generator, or are what goes with a share of the picture (0..1) that is affected.
        """
        return (pictures,)

    def inputs_of(
        self, metadata: ModelMetadata, pictures: "NDArray[np.float32]", shape: tuple[int, ...], share: float
    ) -> "Batch":
        """All inputs for pictures (n, channels, h, w), the first of ``shape`` behind the batch; ``share`` as above."""
        return self.with_auxiliary_inputs(metadata, pictures, share)

    # Running it.

    def engine_needs(self, metadata: ModelMetadata) -> EngineNeeds:
        """How the engine is to be opened for its pipeline."""
        return EngineNeeds()

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        """The :class:`.pipeline.Pipeline` on ``engine``, which it closes in turn.

        Raises:
            ModelFileError, InputError: the metadata or the options do not fit the model.
        """
        from edgevision.runtime.tasks.raw_model import RawModel

        return RawModel(engine, metadata, **options)

    def stages(self, pipeline: Any) -> Stages:
        """The way of ``pipeline`` for ``bench --end-to-end`` and ``bench --stream``."""
        from edgevision.imaging.images import read_image

        return Stages(read_image, pipeline)

    # How good it is.

    def predictions(
        self, outputs: "Sequence[NDArray[Any]]", count: int, metadata: ModelMetadata
    ) -> "NDArray[Any] | None":
        """One for each of ``count`` samples, whose equal ones parity counts; ``None`` where it cannot."""
        return None

    def open_data(self, path: "str | os.PathLike[str]", splits: Sequence[str] = ()) -> Any:
        """The data in a folder or zip, of the first of ``splits`` that exists: pictures, unless the task says else.

        Raises:
            DatasetError: missing, without any, or without the splits.
        """
        from edgevision.data.datasets import ImageFolder

        return ImageFolder(path, splits)

    def recorded_batches(
        self, metadata: ModelMetadata, data: Any, count: int, engine: "Engine"
    ) -> "Iterator[Batch] | None":
        """The inputs for ``count`` samples of ``data`` as the pipeline on ``engine`` makes them, to compare engines on.

        ``None`` where they are pictures that only need to be preprocessed.
        """
        return None

    def can_evaluate(self, metadata: ModelMetadata, data: "ImageFolder") -> bool:
        """Whether ``data`` has what :meth:`evaluate` compares with."""
        return False

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        """How good ``pipeline`` is on ``data``.

        Raises:
            DatasetError: the data do not have what is needed, or not one picture can be used.
            InputError: there is no figure for such a model.
        """
        from edgevision.core.errors import InputError

        raise InputError(
            f"{pipeline.metadata.name!r} is for {self.name}, for which there is no figure of quality; edgevision verify"
            " --against compares it with what it was made from"
        )

    def page_parts(self, report: "QualityReport", pipeline: Any, data: "ImageFolder") -> list[str]:
        """What the page of an evaluation shows beneath the headline of ``report``, as HTML; else that is its table.

        Styles of its own are those of :data:`edgevision.runtime.tasks.evaluation_page.STYLE`.
        """
        return []

    def picture_figures(
        self, engine: "Engine", metadata: ModelMetadata, data: "ImageDataset", options: "EvaluationOptions"
    ) -> "PictureFigures":
        """How well the model does on each picture of ``data`` if ``metadata`` say how it is used."""
        raise NotImplementedError

    def output_changes(self, metadata: ModelMetadata) -> Sequence[Mapping[str, Any]]:
        """Other values of its own part of the metadata that :meth:`picture_figures` may show to be right."""
        return ()

    def calibration_degradations(
        self, metadata: ModelMetadata, options: "EvaluationOptions"
    ) -> "list[EvaluationOptions]":
        """The evaluations whose inputs show all that a model may meet, to calibrate int8 with.

        They are recorded while the task's own pipeline runs on a share of the pictures each. Where there are none,
        pictures are only preprocessed.
        """
        return []

    def clip_sampler(self, metadata: ModelMetadata) -> "Callable[[Any, str], NDArray[np.uint8]] | None":
        """What makes of a clip's frames, and its name, what is kept of it to calibrate with and to judge on.

        That is uint8 (T, height, width, channels); ``None`` where the data are pictures.
        """
        return None

    def crop_side(self, metadata: ModelMetadata, data: Sequence["ImageDataset"]) -> int | None:
        """The side of what is cut from the middle of large pictures for calibrating and judging; ``None``: nothing."""
        return None

    def quality_measure(
        self,
        metadata: ModelMetadata,
        reference: "Engine",
        inputs: "Batch",
        data: "ImageDataset | None",
        options: "EvaluationOptions",
    ) -> "QualityMeasure":
        """What judges forms of the model by one figure: ``reference`` is the float model.

        Args:
            inputs: to judge on; empty for a task with :meth:`calibration_degradations`, whose pipeline makes them.
            data: the pictures that the inputs were made of, where they are pictures.
        """
        from edgevision.runtime.tasks.quality import OutputQuality

        measure = None if data is None else self.quality_on(metadata, reference, data, options)
        return OutputQuality(reference, inputs) if measure is None else measure

    def quality_on(
        self, metadata: ModelMetadata, reference: "Engine", data: Any, options: "EvaluationOptions"
    ) -> "QualityMeasure | None":
        """What judges forms of the model through its pipeline on ``data``; ``None`` where that is not done."""
        return None


def with_picture(
    document: dict[str, Any], shape: tuple[int, ...], *, given: bool, fixed: bool = False
) -> dict[str, Any]:
    """``document`` with what follows for the picture from the input's shape: its colours and, if ``fixed``, its size.

    Raises:
        InputError: no picture has that shape.
    """
    from edgevision.core.errors import InputError

    if len(shape) != 3 or shape[0] not in (1, 3):
        sides = "x".join(map(str, (1, *shape)))
        raise InputError(f"a picture's --input-shape is 1x3xHxW, or 1x1xHxW for gray, not {sides}")
    own = document.get("image", {})
    if not isinstance(own, Mapping):
        raise InputError(f"the metadata cannot be right: image must be an object, not {own!r}")
    image: dict[str, Any] = {"color": (Color.GRAY if shape[0] == 1 else Color.RGB).value} | dict(own)
    if fixed and (given or "size" not in image):
        image["size"] = list(shape[1:])
    return document | {"image": image}
