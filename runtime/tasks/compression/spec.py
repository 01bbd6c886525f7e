"""What the metadata of a compression network say: how its latents become bits."""

from enum import StrEnum

from edgevision.core.records import Record, record


class CodecHalf(StrEnum):
    """The tasks of this room, each of one half of a network."""

    COMPRESS = "compress"
    DECOMPRESS = "decompress"


STRIDE = 16
"""Pixels of a side to one latent."""
HYPER_STRIDE = 4
"""Latents of a side to one hyper-latent."""


@record
class CompressionSpec(Record):
    """How latents are coded, alike in both halves of a codec.

    ``codec`` names the trained network, in hexadecimal: files that another one wrote are refused. ``entropy_model``
    holds the arrays of :class:`.entropy_model.EntropyModel`, a NumPy archive in base64: integers, so that every device
    finds the same probabilities.
    """

    codec: str
    entropy_model: str

    def __post_init__(self) -> None:
        try:
            whole = len(bytes.fromhex(self.codec)) == 8
        except ValueError:
            whole = False
        if not whole:
            raise ValueError(f"codec is 16 hexadecimal digits, not {self.codec!r:.40}")
