"""What both halves of a codec have in common: the entropy model out of the metadata."""

from collections.abc import Sequence

from edgevision.core.errors import ImageError, ModelFileError
from edgevision.imaging.tiling import Span, cut
from edgevision.modelfiles.metadata import ModelMetadata, TileSpec
from edgevision.runtime.tasks.compression.entropy_model import EntropyModel
from edgevision.runtime.tasks.compression.spec import HYPER_STRIDE, STRIDE, CompressionSpec
from edgevision.runtime.tasks.compression.symbol_coding import FrequencyTables, lane_count

PIXELS = STRIDE * HYPER_STRIDE
"""Of a side to one hyper-latent: pictures are padded to multiples of them."""


class Codec:
    """How one trained network turns latents into bits.

    Attributes:
        name: of the network, in hexadecimal.
        entropy_model: the probabilities.
        tables: the frequencies of its symbols.
    """

    def __init__(self, metadata: ModelMetadata) -> None:
        """Of either half.

        Raises:
            ModelFileError: the entropy model is damaged.
        """
        spec = metadata.spec_as(CompressionSpec)
        try:
            self.entropy_model = EntropyModel.unpack(spec.entropy_model)
        except ValueError as error:
            raise ModelFileError(f"{metadata.name!r}: {error}") from error
        self.name = spec.codec
        self.tables = FrequencyTables(self.entropy_model.frequencies)

    def lanes(self, height: int, width: int) -> int:
        """How many lanes the symbols of a picture of that size are written in."""
        model = self.entropy_model
        squares = padded(height) // PIXELS * (padded(width) // PIXELS)
        return lane_count(squares * (model.hyper_latents + HYPER_STRIDE**2 * model.latents))


def tile_spans(
    metadata: ModelMetadata, shape: Sequence[int | str], lengths: Sequence[int]
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """The rows and columns of the tiles in which a half whose input is ``shape`` works on so many rows and columns.

    Raises:
        ImageError: the half takes one size only, which is smaller and leaves nothing beside the overlaps.
    """
    tiles = metadata.tile or TileSpec()
    advised = tiles.advised_side
    fixed = [side if isinstance(side, int) else None for side in shape[2:]]
    sides = [exact or (advised if advised < length else None) for exact, length in zip(fixed, lengths, strict=True)]
    try:
        rows, columns = (
            cut(length, side, tiles, exact=exact is not None)
            for length, side, exact in zip(lengths, sides, fixed, strict=True)
        )
    except ValueError as error:
        raise ImageError(
            f"{metadata.name!r} takes {shape[3]}x{shape[2]} only, which cannot be laid over a larger picture: {error};"
            " export it with another --static, or without"
        ) from error
    return rows, columns


def padded(side: int) -> int:
    """The least multiple of :data:`PIXELS` that ``side`` pixels fit into."""
    return -(-side // PIXELS) * PIXELS
