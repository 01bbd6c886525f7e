"""Keys of the age format as text: ``age1...`` encrypts, ``AGE-SECRET-KEY-1...`` decrypts.

They are X25519 keys in Bech32 (https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki), which finds a letter
that was mistyped.
"""

from collections.abc import Iterable
from itertools import pairwise

RECIPIENT_PREFIX = "age"
IDENTITY_PREFIX = "AGE-SECRET-KEY-"

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6
_KEY_BYTES = 32


def encode_key(prefix: str, key: bytes) -> str:
    """The 32 bytes of a key as text, in the case of ``prefix``."""
    words = _regrouped(key, 8, 5, pad=True)
    low = prefix.lower()
    checksum = _polymod([*_expanded(low), *words, *[0] * _CHECKSUM]) ^ 1
    words += [checksum >> 5 * (_CHECKSUM - 1 - place) & 31 for place in range(_CHECKSUM)]
    text = f"{low}1{''.join(_ALPHABET[word] for word in words)}"
    return text.upper() if prefix.isupper() else text


def decode_key(prefix: str, text: str) -> bytes:
    """The 32 bytes of a key; :class:`ValueError` without a word of it where it is none of that ``prefix``."""
    low = text.lower()
    found, one, data = low.rpartition("1")
    if text not in (low, text.upper()) or not one or found != prefix.lower():
        raise ValueError(f"it does not begin with {prefix}1")
    if len(data) < _CHECKSUM or any(letter not in _ALPHABET for letter in data):
        raise ValueError("it holds a letter that no key has")
    words = [_ALPHABET.index(letter) for letter in data]
    if _polymod([*_expanded(found), *words]) != 1:
        raise ValueError("its checksum is wrong: a letter of it was mistyped, or is missing")
    key = bytes(_regrouped(words[:-_CHECKSUM], 5, 8, pad=False))
    if len(key) != _KEY_BYTES:
        raise ValueError(f"it holds {len(key)} bytes and not {_KEY_BYTES}")
    return key


def _expanded(prefix: str) -> list[int]:
    return [*(ord(letter) >> 5 for letter in prefix), 0, *(ord(letter) & 31 for letter in prefix)]


def _polymod(words: Iterable[int]) -> int:
    """The remainder of BIP 173's code over GF(32)."""
    remainder = 1
    for word in words:
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ word
        for place, generator in enumerate(_GENERATOR):
            if top >> place & 1:
                remainder ^= generator
    return remainder


def _regrouped(values: Iterable[int], size: int, new_size: int, *, pad: bool) -> list[int]:
    """The bits of values of ``size`` bits each in values of ``new_size``; what is left over is zeros."""
    bits = "".join(f"{value:0{size}b}" for value in values)
    whole = len(bits) // new_size * new_size
    places = [*range(0, whole + 1, new_size), *([len(bits)] if pad and whole < len(bits) else [])]
    if not pad and "1" in bits[whole:]:
        raise ValueError("bits are left over")
    return [int(bits[start:end].ljust(new_size, "0"), 2) for start, end in pairwise(places)]
