"""Restoration: a damaged picture in, a better one of the same kind out."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import InputError
from edgevision.imaging.picture_sources import (
    ArrayColor,
    Batch,
    ImageSource,
    ImageSources,
    Source,
    check_array_color,
    split_pictures,
)
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import Array, Samples, as_float, store
from edgevision.imaging.transparency import continue_colours, range_around
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.pipeline import Pipeline
from edgevision.runtime.tasks.restoration.colors import ChromaNetwork
from edgevision.runtime.tasks.restoration.curves import CurveNetwork
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec
from edgevision.runtime.tasks.restoration.steadiness import Steadiness
from edgevision.runtime.tasks.restoration.tile_sizes import DEFAULT_MEMORY
from edgevision.runtime.tasks.restoration.tiled_network import TiledNetwork


class Restorer(Pipeline):
    """A restoration network on an engine; call it on a picture.

    Attributes:
        metadata: what the model file says about itself.
        makes_colors: whether what is gray becomes RGB.
        network: what computes the rows of the result: of tiles, or by curves or colours if it predicts those.
    """

    makes_colors = False

    def __init__(
        self,
        engine: Engine,
        metadata: ModelMetadata,
        *,
        tile: int | None = None,
        memory: int = DEFAULT_MEMORY,
        color: ArrayColor = "rgb",
    ) -> None:
        """Use ``engine``, which the restorer closes in turn.

        Args:
            tile: side of the tiles in pixels of the input; 0 for none, ``None`` to fit ``memory``. A picture is never
                cut for a network that sees a thumbnail, so that both have no effect there.
            memory: bytes that the network may take for one tile, and half as much for a row of results.
            color: the order of channels in arrays that it is called on, and in those made of its results.

        Raises:
            ModelFileError: the metadata does not say how a picture becomes an input.
            InputError: the tile does not fit the network.
        """
        self.metadata = metadata
        self.network = _network(engine, metadata, tile=tile, memory=memory)
        self.makes_colors = self.makes_colors or isinstance(self.network, ChromaNetwork)
        self.at_once = self.network.at_once
        self._color = check_array_color(color)

    @property
    def engine(self) -> Engine:
        """What runs the model."""
        return self.network.engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        self.network.engine = engine

    @property
    def scale(self) -> int:
        """How many times larger the result's sides are."""
        return self.network.scale

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self,
        images: Batch,
        *,
        strength: float = 1,
        always: bool = False,
        in_place: bool = False,
        steady: Steadiness | None = None,
    ) -> list[Picture]: ...

    @overload
    def __call__(
        self,
        images: ImageSource,
        *,
        strength: float = 1,
        always: bool = False,
        in_place: bool = False,
        steady: Steadiness | None = None,
    ) -> Picture: ...

    @overload
    def __call__(
        self,
        images: ImageSources[Source],
        *,
        strength: float = 1,
        always: bool = False,
        in_place: bool = False,
        steady: Steadiness | None = None,
    ) -> list[Picture]: ...

    def __call__(
        self,
        images: Any,
        *,
        strength: float = 1,
        always: bool = False,
        in_place: bool = False,
        steady: Steadiness | None = None,
    ) -> Picture | list[Picture]:
        """Restore a picture, or several; depth, alpha, colour profile and camera data are kept.

        What is transparent gets the colours around it, of which its own would otherwise spoil the edge. With
        ``in_place`` the result may take the place of the samples in a :class:`Picture` that nobody needs any more. A
        network that predicts colours makes RGB of gray.

        Args:
            strength: how far to go from the picture, 0, to what the network makes of it, 1.
            always: the picture is dark, so brighten it also where the network takes it for well exposed; or it is to be
                coloured, so do so also where it has colours.
            steady: what keeps the results of a stream's frames steady, one after the other.

        Raises:
            InputError: a strength out of its range, or below 1 where pictures are enlarged; ``always`` where
                the network predicts nothing that knows it.
            ImageError: a picture cannot be decoded.
            DeviceError: the device failed.
        """
        if not 0 <= strength <= 1:
            raise InputError(f"the strength must be from 0 to 1, not {strength}")
        if strength < 1 and self.scale != 1:
            raise InputError("what is enlarged has no strength: it cannot be mixed with the picture before")
        if always and isinstance(self.network, TiledNetwork):
            raise InputError(f"always is for curves and colours, which {self.metadata.name!r} does not predict")
        restore: Callable[[Samples], Iterator[tuple[int, Array]]] = self.restore
        if isinstance(self.network, CurveNetwork):
            restore = partial(self.network.restore, always=always, steady=steady)
        elif isinstance(self.network, ChromaNetwork):
            restore = partial(self.network.restore, always=always)
        pictures, several = split_pictures(images, self._color)
        results = [
            self._restore_picture(picture, restore, strength, in_place=in_place, steady=steady) for picture in pictures
        ]
        return results if several else results[0]

    def _restore_picture(
        self,
        source: ImageSource,
        restore: Callable[[Samples], Iterator[tuple[int, Array]]],
        strength: float,
        *,
        in_place: bool,
        steady: Steadiness | None,
    ) -> Picture:
        # What was given is compared with what comes next.
        in_place = steady is None and (in_place or not isinstance(source, Picture))
        picture = Picture.read(source).with_array_color(self._color)
        before = picture.pixels.shape
        channels = 3 if self.makes_colors else before[2]
        shape = (picture.height * self.scale, picture.width * self.scale, channels)
        # No tile reads a row that is finished.
        restored = picture.pixels if in_place and shape == before else np.empty(shape, picture.pixels.dtype)
        seen = picture.pixels if picture.alpha is None else continue_colours(picture.pixels, picture.alpha)
        for top, rows in restore(seen):
            if strength < 1:
                given = as_float(seen[top : top + len(rows)])
                rows = given + np.float32(strength) * (rows - given)
            store(rows, restored[top : top + len(rows)])
            del rows  # or two bands would be held while the next is computed
        if channels != before[2]:
            # A profile of grays says nothing of colours.
            picture = replace(picture, icc_profile=None)
        result = picture.with_pixels(restored, self._enlarged(picture.alpha))
        return result if steady is None else steady.picture(seen, result)

    def restore(self, samples: Samples) -> Iterator[tuple[int, Array]]:
        """The restored rows of (H, W, 1 or 3), top to bottom, float32 (n, width, channels) around 0..1, not clipped."""
        return self.network.restore(samples)

    def _enlarged(self, alpha: NDArray[Any] | None) -> Any:
        if alpha is None or self.scale == 1:
            return alpha
        enlarged = np.empty((alpha.shape[0] * self.scale, alpha.shape[1] * self.scale, 1), alpha.dtype)
        lowest, highest = range_around(alpha)
        for top, rows in self.restore(alpha[:, :, None]):
            made = enlarged[top : top + len(rows)]
            store(rows, made)
            # What is opaque or transparent all around stays so, to the last bit, and no edge rings.
            places = np.arange(top, top + len(rows)) // self.scale
            for limit, bound in ((np.maximum, lowest), (np.minimum, highest)):
                limit(made[:, :, 0], np.repeat(bound[places], self.scale, 1), out=made[:, :, 0])
            del rows  # or two bands would be held while the next is computed
        return enlarged[:, :, 0]


def _network(
    engine: Engine, metadata: ModelMetadata, *, tile: int | None, memory: int
) -> TiledNetwork | CurveNetwork | ChromaNetwork:
    predicts = metadata.spec_as(RestorationSpec).predicts
    if predicts is Prediction.CURVES:
        return CurveNetwork(engine, metadata)
    if predicts is Prediction.CHROMA:
        return ChromaNetwork(engine, metadata)
    return TiledNetwork(engine, metadata, tile=tile, memory=memory)
