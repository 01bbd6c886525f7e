"""Stylization: a picture in, the same picture painted in a style, or a mixture of styles, out."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from edgevision.core.errors import InputError
from edgevision.imaging.picture_sources import split_pictures
from edgevision.imaging.resampling import resized
from edgevision.imaging.samples import Array, Samples, store
from edgevision.imaging.tiling import Span, take
from edgevision.modelfiles.graph_check import Specs
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.restoration.restorer import Restorer
from edgevision.runtime.tasks.restoration.steadiness import Steadiness
from edgevision.runtime.tasks.restoration.tile_sizes import DEFAULT_MEMORY
from edgevision.runtime.tasks.restoration.tiled_network import TiledNetwork, TileInputs
from edgevision.runtime.tasks.stylization.spec import StylizationSpec

# The longer side of the thumbnail whose statistics stand for a picture that is cut into tiles.
_THUMBNAIL = 640


class Stylizer(Restorer):
    """A stylization network on an engine; call it on a picture.

    Attributes:
        styles: the names of its styles; none where it has only one, without a name.
    """

    makes_colors = True

    def __init__(
        self,
        engine: Engine,
        metadata: ModelMetadata,
        *,
        tile: int | None = None,
        memory: int = DEFAULT_MEMORY,
        **options: Any,
    ) -> None:
        """As :class:`Restorer`."""
        super().__init__(engine, metadata, tile=tile, memory=memory, **options)
        self.styles = metadata.spec_as(StylizationSpec).styles
        self._multiple = metadata.tile.multiple if metadata.tile else 1

    def __call__(  # type: ignore[override]
        self,
        images: Any,
        *,
        style: str | Mapping[str, float] | None = None,
        strength: float = 1,
        in_place: bool = False,
        steady: Steadiness | None = None,
    ) -> Any:
        """Paint a picture, or several; depth, alpha and camera data are kept, and what is gray gets colours.

        Args:
            style: one by its name, or how much of each, as ``"wave:0.6,starry:0.4"`` or a mapping; ``None`` is the
                first.
            strength: how far to go from the picture, 0, to the painted one, 1.
            steady: what keeps the results of a stream's frames steady, one after the other.

        Raises:
            InputError: a style that there is not, shares that do not add up to more than nothing, or a strength out of
                its range.
            ImageError: a picture cannot be decoded.
            DeviceError: the device failed.
        """
        if not 0 <= strength <= 1:
            raise InputError(f"the strength must be from 0 to 1, not {strength}")
        shares = style_shares(style, self.styles, self.metadata.name)
        pictures, several = split_pictures(images, self._color)
        paint = partial(self.paint, shares=shares)
        results = [
            self._restore_picture(picture, paint, strength, in_place=in_place, steady=steady) for picture in pictures
        ]
        return results if several else results[0]

    def paint(self, samples: Samples, *, shares: Array | None) -> Iterator[tuple[int, Array]]:
        """The painted rows of (H, W, 1 or 3), top to bottom, float32 (n, width, 3) around 0..1, not clipped."""
        network = self.network
        assert isinstance(network, TiledNetwork)
        colored = np.repeat(samples, 3, axis=2) if samples.shape[2] == 1 else samples
        others = () if shares is None else (shares[None], *self._statistics(colored, shares))

        def inputs(row: Span, column: Span) -> TileInputs:
            return (take(colored, row, column), *others)

        return network.restore_tiles(colored.shape, inputs)

    def _statistics(self, samples: Samples, shares: Array) -> tuple[Array, ...]:
        """What every tile is normalised by: of a thumbnail, or nothing where the picture is one tile."""
        network = self.network
        assert isinstance(network, TiledNetwork)
        none = no_statistics(self.engine.inputs, 1)
        rows, columns = network.tiles.spans(*samples.shape[:2])
        if not none or len(rows) * len(columns) == 1:
            return none
        factor = min(1.0, _THUMBNAIL / max(samples.shape[:2]))
        height, width = (
            max(self._multiple, round(side * factor) // self._multiple * self._multiple) for side in samples.shape[:2]
        )
        thumbnail: Samples = np.empty((height, width, 3), np.float32)
        store(resized(samples, (height, width)), thumbnail)
        names = [spec.name for spec in self.engine.inputs]
        tensors = (network.tensors.to_tensor(thumbnail), shares[None], *none)
        outputs = self.engine.run(dict(zip(names, tensors, strict=True)))
        return (np.asarray(outputs[1], np.float32),)


def no_statistics(inputs: Specs, count: int) -> tuple[Array, ...]:
    """For the third of ``inputs``, if there is one: those of the pictures themselves are to be used."""
    return tuple(np.zeros((count, 2, int(spec.shape[2])), np.float32) for spec in inputs[2:3])


def style_shares(style: str | Mapping[str, float] | None, styles: tuple[str, ...], model: str) -> Array | None:
    """How much of each of ``styles``, float32 (styles,) that add up to 1; ``None`` for a network without named ones.

    Raises:
        InputError: there is no such style, or nothing of any.
    """
    if not styles:
        if style is not None:
            raise InputError(f"{model!r} has one style only, so that none can be chosen")
        return None
    given = {styles[0]: 1.0} if style is None else _parsed(style) if isinstance(style, str) else dict(style)
    shares = np.zeros(len(styles))
    for name, share in given.items():
        if name not in styles:
            raise InputError(f"{model!r} has the styles {', '.join(styles)}, not {name!r}")
        if not 0 <= share < float("inf"):
            raise InputError(f"the share of the style {name!r} must be a number from 0 on, not {share}")
        shares[styles.index(name)] = share
    if not shares.any():
        raise InputError("the shares of the styles are all 0; give one of them more")
    shares /= shares.max()  # first, since sums of large ones are infinite
    shares /= shares.sum()
    return shares.astype(np.float32)


def _parsed(text: str) -> dict[str, float]:
    shares: dict[str, float] = {}
    for part in text.split(","):
        before, colon, after = part.strip().rpartition(":")
        name = before if colon else after
        if name in shares:
            raise InputError(f"the style {name!r} is given twice; say once how much of it")
        try:
            shares[name] = float(after) if colon else 1.0
        except ValueError:
            raise InputError(f"a style is NAME or NAME:SHARE,NAME:SHARE, not {text!r:.80}") from None
    return shares
