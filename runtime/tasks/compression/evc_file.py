"""The file format of compressed pictures, ``.evc``.

All numbers are little endian. A header of 36 bytes: the signature, the version, flags (1: gray, 2: 16 bits a sample),
the quality from 1 on, the name of the codec (8 bytes), height and width (uint32), the lengths of what follows (uint32
each): the coded symbols, and the extras; last the CRC-32 of all of that and of all that follows. Extras are what
the picture's file held beside its colours, each a tag of four letters, its length (uint32) and its content, deflated:
``ICCP``, ``EXIF``, ``XMP ``, and ``ALPH``, the opacity as differences from row to row.
"""

import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from edgevision.core.errors import ImageError
from edgevision.core.regular_files import read_regular
from edgevision.imaging.images import check_pixels
from edgevision.imaging.samples import Samples

SUFFIX = ".evc"
SIGNATURE = b"\x8bEVC"
VERSION = 1

_HEADER = struct.Struct("<4sBBBx8sIIII")
_CHECKSUM = struct.Struct("<I")
_EXTRA = struct.Struct("<4sI")
_GRAY, _DEEP = 1, 2

_TAGS = {"icc_profile": b"ICCP", "exif": b"EXIF", "xmp": b"XMP "}
_ALPHA = b"ALPH"
_KNOWN_TAGS = {*_TAGS.values(), _ALPHA}
_MOST_EXTRA_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True, eq=False)
class EvcFile:
    """A compressed picture.

    Attributes:
        codec: of the network that wrote it, as :attr:`.CompressionSpec.codec`.
        quality: which of the network's, from 0 on.
        height, width: in pixels.
        gray, deep: whether it had one channel, and 16 bits a sample.
        symbols: as coded by :mod:`.symbol_coding`.
        alpha: opacity (H, W), uint8 or, if ``deep``, uint16.
        extras: ``icc_profile``, ``exif`` and ``xmp``, those there are.
    """

    codec: str
    quality: int
    height: int
    width: int
    gray: bool
    deep: bool
    symbols: bytes
    alpha: Samples | None = None
    extras: dict[str, bytes] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The file's content."""
        extras = {_TAGS[name]: content for name, content in self.extras.items()}
        if self.alpha is not None:
            extras[_ALPHA] = _differences(self.alpha)
        deflated = b"".join(
            _EXTRA.pack(tag, len(packed)) + packed
            for tag, content in extras.items()
            for packed in (zlib.compress(content, 9),)
        )
        flags = _GRAY * self.gray + _DEEP * self.deep
        header = _HEADER.pack(
            SIGNATURE,
            VERSION,
            flags,
            self.quality + 1,
            bytes.fromhex(self.codec),
            self.height,
            self.width,
            len(self.symbols),
            len(deflated),
        )
        body = self.symbols + deflated
        return header + _CHECKSUM.pack(zlib.crc32(body, zlib.crc32(header))) + body

    @classmethod
    def read(cls, source: str | os.PathLike[str] | bytes, *, name: str = "the file") -> Self:
        """From a path or a file's content, which ``name`` stands for in errors.

        Raises:
            ImageError: missing, none of this format, cut off, changed, newer than this release, or larger than
                pictures may be.
        """
        content = source if isinstance(source, bytes) else b""
        if not isinstance(source, bytes):
            name = repr(os.fspath(source))
            try:
                content = read_regular(Path(source))
            except FileNotFoundError as error:
                raise ImageError(f"{name} does not exist") from error
            except (OSError, ValueError) as error:
                raise ImageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
        return cls._parsed(content, name)

    @classmethod
    def _parsed(cls, content: bytes, name: str) -> Self:
        start = _HEADER.size + _CHECKSUM.size
        if content[:4] != SIGNATURE:
            raise ImageError(f"{name} was not made by edgevision run compress: its first bytes are {content[:4]!r}")
        if len(content) > 4 and content[4] != VERSION:
            raise ImageError(f"{name} is of version {content[4]} of the format, and this release reads {VERSION}")
        if len(content) < start:
            raise ImageError(f"{name} is cut off: it has {len(content)} bytes, and its header alone {start}")
        header = content[: _HEADER.size]
        _, _, flags, quality, codec, height, width, words, extras = _HEADER.unpack(header)
        whole = start + words + extras
        if len(content) != whole:
            raise ImageError(f"{name} is cut off or too long: it has {len(content)} bytes, its header says {whole}")
        body = content[start:]
        (checksum,) = _CHECKSUM.unpack(content[_HEADER.size : start])
        if zlib.crc32(body, zlib.crc32(header)) != checksum:
            raise ImageError(f"{name} is damaged: its checksum is not that of its content")
        if not height or not width or not quality or flags > (_GRAY | _DEEP):
            raise ImageError(f"{name} is damaged: its header says {width}x{height} pixels of quality {quality}")
        check_pixels(width, height, name)
        deep = bool(flags & _DEEP)
        found = _extras(body[words:], name, height * width * (2 if deep else 1))
        alpha = found.pop(_ALPHA, None)
        return cls(
            codec=codec.hex(),
            quality=quality - 1,
            height=height,
            width=width,
            gray=bool(flags & _GRAY),
            deep=deep,
            symbols=body[:words],
            alpha=None if alpha is None else _summed(alpha, height, width, deep=deep, name=name),
            extras={field: found[tag] for field, tag in _TAGS.items() if tag in found},
        )


def _extras(content: bytes, name: str, alpha_bytes: int) -> dict[bytes, bytes]:
    """The extras by their tags, inflated, and no more of each than it may be."""
    found: dict[bytes, bytes] = {}
    place = 0
    while place < len(content):
        if place + _EXTRA.size > len(content):
            raise ImageError(f"{name} is damaged: its extras do not end where they should")
        tag, length = _EXTRA.unpack_from(content, place)
        place += _EXTRA.size
        if tag not in _KNOWN_TAGS:  # of any size, and of no use
            place += length
            continue
        most = alpha_bytes if tag == _ALPHA else _MOST_EXTRA_BYTES
        inflater = zlib.decompressobj()
        try:
            found[tag] = inflater.decompress(content[place : place + length], most)
        except zlib.error as error:
            raise ImageError(f"{name} is damaged: what is beside its colours cannot be inflated: {error}") from error
        if not inflater.eof and inflater.decompress(inflater.unconsumed_tail, 1):
            raise ImageError(f"{name} is damaged: an extra {tag!r} inflates to more than {most} bytes")
        if not inflater.eof:
            raise ImageError(f"{name} is damaged: an extra {tag!r} is cut off")
        place += length
    return found


def _differences(alpha: Samples) -> bytes:
    rows = alpha.copy()
    rows[1:] -= alpha[:-1]  # modulo the type, as unsigned integers do
    content: bytes = rows.astype(rows.dtype.newbyteorder("<")).tobytes()
    return content


def _summed(content: bytes, height: int, width: int, *, deep: bool, name: str) -> Samples:
    dtype = np.dtype("<u2" if deep else "u1")
    if len(content) != height * width * dtype.itemsize:
        raise ImageError(f"{name} is damaged: its opacity is not of {width}x{height} pixels")
    rows = np.frombuffer(content, dtype).reshape(height, width).astype(dtype.newbyteorder("="))
    return np.cumsum(rows, axis=0, dtype=rows.dtype)
