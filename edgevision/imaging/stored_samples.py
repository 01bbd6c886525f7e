"""How a file stores its samples, as far as Pillow does not heed it or forgets it once they are read."""

from dataclasses import dataclass
from typing import Any

from PIL import Image

from edgevision.core.errors import ImageError

# Tags of TIFF, and values of theirs.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO, _SIGNED = 0, 2


@dataclass(frozen=True)
class StoredSamples:
    """What the file says.

    Attributes:
        bits: of one sample.
        inverted: whether white is zero in samples of more than 8 bits, which Pillow hands out as they are.
        gray: whether what Pillow reads as colours is gray with alpha.
    """

    bits: int = 8
    inverted: bool = False
    gray: bool = False

    def transparent(self, value: Any) -> Any:
        """The gray that stands for transparent in a PNG, of 2 or 4 bits as in the file, as in the samples read."""
        return value * (255 // (2**self.bits - 1)) if self.bits in (2, 4) and isinstance(value, int) else value


def stored_samples(image: Image.Image, beginning: bytes = b"") -> StoredSamples:
    """What can be told of a picture that is not loaded yet, whose file has that ``beginning``.

    Raises:
        ImageError: Pillow would read something else than what is stored.
    """
    # How the samples are packed, in Pillow's words: "RGB;16B", ("L;4", 0, 1) ...
    packed = [tile[3] for tile in getattr(image, "tile", ())]
    if image.format == "TIFF":
        return _of_tiff(image, packed)
    if image.format == "PNG":
        bits = next((bits for bits in (16, 4, 2) if any(f";{bits}" in str(words) for words in packed)), 8)
        return StoredSamples(bits, gray="LA;16B" in packed)
    if image.format == "PPM":
        most = max(
            (words[-1] for words in packed if isinstance(words, tuple) and isinstance(words[-1], int)), default=0
        )
        return StoredSamples(16 if most > 255 else 8)
    if image.format in ("JPEG2000", "AVIF", "HEIF"):
        return StoredSamples(_named_bits(beginning) or 8)
    return StoredSamples()


def _of_tiff(image: Image.Image, packed: list[Any]) -> StoredSamples:
    tags = image.tag_v2  # type: ignore[attr-defined]
    stated = tags.get(_BITS_PER_SAMPLE, (1,))
    bits = max(stated) if isinstance(stated, tuple) else stated
    if image.mode == "L" and tags.get(_SAMPLE_FORMAT) in (_SIGNED, (_SIGNED,)):
        raise ImageError("signed samples have no defined black and white; save it with unsigned ones")
    if bits > 8 and any(isinstance(words, tuple) and len(str(words[0])) == 1 for words in packed):
        raise ImageError(f"{bits}-bit samples in separate planes are not read; save it with the channels interleaved")
    # Of fewer bits Pillow inverts them itself.
    return StoredSamples(bits, inverted=bits > 8 and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def _named_bits(beginning: bytes) -> int | None:
    """The bits of a sample in JPEG 2000 (box ihdr or marker SIZ), AVIF and HEIF (box pixi)."""
    for word, place in ((b"ihdr", 14), (b"\xff\x4f\xff\x51", 42)):
        at = beginning.find(word) + place
        if word in beginning and at < len(beginning):
            return (beginning[at] & 0x7F) + 1
    at = beginning.find(b"pixi") + 9
    return beginning[at] if b"pixi" in beginning and at < len(beginning) else None
