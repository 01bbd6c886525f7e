"""Encrypted files in the age format, version 1 (https://c2sp.org/age), for recipients with X25519 keys.

A random key of the file is wrapped for each recipient in the header, which a MAC under that key covers. The content
follows in chunks of 64 KiB, each sealed with ChaCha20-Poly1305 under its number and whether it is the last (STREAM,
Hoang, Reyhanitabar, Rogaway and Vizár 2015): chunks that were cut off, exchanged or changed are not opened.
"""

import base64
import hmac
import io
import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"age-encryption.org/v1"
_X25519 = "X25519"
_WRAPPING = b"age-encryption.org/v1/X25519"
_FILE_KEY = 16
_NONCE = 16
_CHUNK = 1 << 16
_TAG = 16
_COLUMNS = 64
_LONGEST_LINE = 1 << 16
_LONGEST_HEADER = 1 << 20


class WrongKeyError(ValueError):
    """None of the recipients of a file has this key."""


def new_identity() -> bytes:
    """The 32 bytes of a new private key."""
    return X25519PrivateKey.generate().private_bytes_raw()


def recipient_of(identity: bytes) -> bytes:
    """The public key of a private one."""
    return X25519PrivateKey.from_private_bytes(identity).public_key().public_bytes_raw()


class SealedWriter(io.RawIOBase):
    """Takes the content of a file, as ``zipfile`` writes it, and writes it encrypted; closing it seals the end."""

    def __init__(self, target: BinaryIO, recipients: Sequence[bytes]) -> None:
        self._target = target
        file_key, nonce = os.urandom(_FILE_KEY), os.urandom(_NONCE)
        stanzas = b"".join(_wrapped(file_key, recipient) for recipient in recipients)
        header = _VERSION + b"\n" + stanzas + b"---"
        target.write(header + b" " + _unpadded(_mac(file_key, header)) + b"\n" + nonce)
        self._chunks = _Chunks(file_key, nonce)
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        self._waiting += data
        # The last chunk is full, or holds the rest: what fills one exactly waits for more.
        while len(self._waiting) > _CHUNK:
            self._target.write(self._chunks.seal(bytes(self._waiting[:_CHUNK]), last=False))
            del self._waiting[:_CHUNK]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._target.write(self._chunks.seal(bytes(self._waiting), last=True))
        super().close()


def decrypted(file: BinaryIO, identity: bytes) -> bytes:
    """The content of an encrypted file.

    Raises:
        WrongKeyError: it was encrypted for others.
        ValueError: it is no such file, or cut off, changed, or put together from parts of others.
    """
    return b"".join(_opened_chunks(file, identity))


def _opened_chunks(file: BinaryIO, identity: bytes) -> Iterator[bytes]:
    file_key = _file_key(file, identity)
    nonce = file.read(_NONCE)
    if len(nonce) < _NONCE:
        raise ValueError("it is cut off behind its header")
    chunks = _Chunks(file_key, nonce)
    sealed = file.read(_CHUNK + _TAG)
    number = 0
    while True:
        following = file.read(_CHUNK + _TAG) if len(sealed) == _CHUNK + _TAG else b""
        number += 1
        content = chunks.open(sealed, number, last=not following)
        if not following and not content and number > 1:
            raise ValueError("its last chunk is empty, as no program writes it")
        yield content
        if not following:
            return
        sealed = following


class _Chunks:
    """Seals or opens the chunks of one file, in their order."""

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        self._cipher = ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))
        self._number = 0

    def seal(self, content: bytes, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(self._nonce(last=last), content, None)
        self._number += 1
        return sealed

    def open(self, sealed: bytes, number: int, *, last: bool) -> bytes:
        for is_last in (last, not last):
            try:
                content = self._cipher.decrypt(self._nonce(last=is_last), sealed, None)
            except InvalidTag:
                continue
            if is_last is not last:
                raise ValueError("it is cut off: its last chunk is missing" if last else "something follows its end")
            self._number += 1
            return content
        raise ValueError(f"its chunk {number} was changed, cut off, or is not in its place")

    def _nonce(self, *, last: bool) -> bytes:
        return self._number.to_bytes(11, "big") + bytes([last])


def _wrapped(file_key: bytes, recipient: bytes) -> bytes:
    """The stanza of a recipient."""
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
    key = _derived(shared, share + recipient, _WRAPPING)
    body = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
    return b"-> " + _X25519.encode() + b" " + _unpadded(share) + b"\n" + _unpadded(body) + b"\n"


def _file_key(file: BinaryIO, identity: bytes) -> bytes:
    """The key of a file, from its header, whose MAC is checked with it."""
    if _line(file, first=True) != _VERSION:
        raise ValueError(f"it does not begin with {_VERSION.decode()!r}: not encrypted, or in another format")
    header, found = bytearray(_VERSION + b"\n"), None
    line = _line(file)
    while not line.startswith(b"--- "):
        kind, *arguments = line.decode("ascii", "replace").removeprefix("-> ").split(" ")
        if not line.startswith(b"-> "):
            raise ValueError("its header is damaged")
        body = bytearray()
        header += line + b"\n"
        while True:
            part = _line(file)
            header += part + b"\n"
            body += part
            if len(header) > _LONGEST_HEADER:
                raise ValueError(f"its header is longer than {_LONGEST_HEADER} bytes")
            if len(part) < _COLUMNS:
                break
        if kind == _X25519 and found is None and len(arguments) == 1:
            found = _unwrapped(_padded(arguments[0].encode()), _padded(bytes(body)), identity)
        line = _line(file)
    if found is None:
        raise WrongKeyError("it was encrypted for others than this key")
    if not hmac.compare_digest(_mac(found, bytes(header) + b"---"), _padded(line[4:])):
        raise ValueError("its header was changed")
    return found


def _unwrapped(share: bytes, body: bytes, identity: bytes) -> bytes | None:
    """The key of the file, where this stanza is for ``identity``."""
    private = X25519PrivateKey.from_private_bytes(identity)
    try:
        # A share of low order would give everybody the same secret, which the exchange refuses.
        shared = private.exchange(X25519PublicKey.from_public_bytes(share))
        key = _derived(shared, share + private.public_key().public_bytes_raw(), _WRAPPING)
        file_key = ChaCha20Poly1305(key).decrypt(bytes(12), body, None)
    except InvalidTag:
        return None
    if len(file_key) != _FILE_KEY:
        raise ValueError("its header is damaged")
    return file_key


def _line(file: BinaryIO, *, first: bool = False) -> bytes:
    line = file.readline(_LONGEST_LINE)
    if line.endswith(b"\n"):
        return line[:-1]
    if first:
        return b""
    raise ValueError("it is cut off in its header")


def _mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(_derived(file_key, b"", b"header"), header, "sha256")


def _derived(secret: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, purpose).derive(secret)


def _unpadded(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _padded(text: bytes) -> bytes:
    """The bytes of canonical base64 without padding."""
    data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    if _unpadded(data) != text:
        raise ValueError("its header is damaged")
    return data
