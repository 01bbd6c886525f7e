"""Encrypted models, ``NAME.onnx.age``: the model and all that belongs to it, decrypted into memory alone.

Inside the encryption (:mod:`edgevision.modelfiles.age_format`) is a zip without compression, of which the model is the
first member. Nothing here imports what decrypts before a model has to be decrypted.
"""

import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from edgevision.core.atomic_files import atomic_file
from edgevision.core.environment import environment_variable
from edgevision.core.errors import DecryptionError, InputError
from edgevision.core.extras import requires_extra
from edgevision.core.printable import shortened
from edgevision.core.private_keys import held_by, refuse_key_itself, said_by
from edgevision.core.regular_files import open_regular, read_text_file
from edgevision.modelfiles.age_keys import IDENTITY_PREFIX, RECIPIENT_PREFIX, decode_key, encode_key

MODEL_KEY = "EDGEVISION_MODEL_KEY"
"""The environment variable that says where the private key is: a file, ``env:NAME`` or ``command:PROGRAM ...``."""

_DEFAULT_KEY = Path("edgevision", "model.key")
_HAS_PASSWORD = 1  # of the flags of a zip's member


class ModelContents(NamedTuple):
    """A decrypted model.

    Attributes:
        name: of the model's file, as it was encrypted.
        model: its bytes.
        beside: the bytes of what it refers to, by the names that it has for them, and of its report.
    """

    name: str
    model: bytes
    beside: Mapping[str, bytes]


def encrypt_files(files: Sequence[tuple[str, Path]], target: Path, recipients: Sequence[str], *, force: bool) -> None:
    """Write the encrypted model ``target``; of the ``files``, with their names in it, the model is the first.

    Args:
        recipients: ``age1...``, each of which can open it; or files of them, one a line.

    Raises:
        InputError: one is none.
        MissingExtraError: what encrypts is not installed.
        OutputError: ``target`` cannot be written.
    """
    with requires_extra("encrypt"):
        from edgevision.modelfiles.age_format import SealedWriter
    keys = [key for recipient in recipients for key in _recipient_keys(recipient)]
    with (
        atomic_file(target, force=force) as temporary,
        temporary.open("wb") as output,
        SealedWriter(output, keys) as sealed,
        zipfile.ZipFile(sealed, "w") as archive,
    ):
        for name, path in files:
            archive.write(path, name)


def read_encrypted(path: Path) -> ModelContents:
    """The contents of an encrypted model, by the key of whoever runs this.

    Raises:
        DecryptionError: it is for others, was cut off, changed, put together from others, or holds no model.
        InputError: there is no key.
        MissingExtraError: what decrypts is not installed.
    """
    with requires_extra("encrypt"):
        from edgevision.modelfiles.age_format import WrongKeyError, decrypted
    source, identity = _identity()
    try:
        with open_regular(path) as file:
            archive = zipfile.ZipFile(io.BytesIO(decrypted(file, identity)))
        with archive:
            members = archive.infolist()
            # What was compressed could become any size, and what has a password of its own has no key here.
            if not members or any(
                m.compress_type != zipfile.ZIP_STORED or m.flag_bits & _HAS_PASSWORD for m in members
            ):
                raise ValueError("it holds no model")
            contents = {member.filename: archive.read(member) for member in members}
    except WrongKeyError as error:
        raise DecryptionError(f"{str(path)!r} is not encrypted for the key of {shortened(source)}: {error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        reason = str(error) or "it is cut off"
        raise DecryptionError(f"{str(path)!r} cannot be decrypted: {reason}") from error
    name, *_ = contents
    return ModelContents(name, contents.pop(name), contents)


def write_new_key(target: Path) -> str:
    """Write a new private key, which only its owner may read, and return the public one."""
    with requires_extra("encrypt"):
        from edgevision.modelfiles.age_format import new_identity, recipient_of
    identity = new_identity()
    recipient = encode_key(RECIPIENT_PREFIX, recipient_of(identity))
    with atomic_file(target, force=False) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_text(f"# public key: {recipient}\n{encode_key(IDENTITY_PREFIX, identity)}\n", "ascii")
    return recipient


def model_key(source: str) -> AbstractContextManager[None]:
    """Take the private key from there during a block."""
    return environment_variable(MODEL_KEY, source)


def _recipient_keys(recipient: str) -> list[bytes]:
    refuse_key_itself(recipient, "--recipient", "give the public key of it, age1..., or a file of such")
    lines = [recipient]
    if not recipient.startswith(f"{RECIPIENT_PREFIX}1"):
        lines = _key_lines(read_text_file(Path(recipient), "the recipients' file"))
    try:
        keys = [decode_key(RECIPIENT_PREFIX, line) for line in lines]
    except ValueError as error:
        raise InputError(f"a recipient is a public key, age1..., or a file of them, one a line: {error}") from error
    if not keys:
        raise InputError(f"{recipient!r} holds no public key, age1...")
    return keys


def _identity() -> tuple[str, bytes]:
    """Where the private key is from, and the key; errors hold nothing of it."""
    default = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / _DEFAULT_KEY
    source = os.environ.get(MODEL_KEY) or str(default)
    refuse_key_itself(source, "--model-key", "say where it is: FILE, env:NAME or 'command:PROGRAM ...'")
    kind, _, rest = source.partition(":")
    if kind == "env":
        text = held_by(rest, ", AGE-SECRET-KEY-1...")
    elif kind == "command":
        text = said_by(rest, "--model-key")
    elif source == str(default) and not default.is_file():
        raise InputError(
            f"the model is encrypted, and there is no key: --model-key FILE, env:NAME or 'command:PROGRAM ...' says"
            f" where it is, or {MODEL_KEY}, or it lies in {str(default)!r}"
        )
    else:
        text = read_text_file(Path(source), "the key")
    lines = _key_lines(text)
    try:
        if len(lines) != 1:
            raise ValueError(f"it has {len(lines)} lines where one is expected")
        return source, decode_key(IDENTITY_PREFIX, lines[0])
    except ValueError as error:
        raise InputError(f"{shortened(source)} is not one private key, AGE-SECRET-KEY-1...: {error}") from error


def _key_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
