"""Signatures of models: ``NAME.onnx.sig`` beside the file, of it and of all that belongs to it.

What is signed is a manifest of the SHA-256 of each file (the model, weights kept outside, metadata kept beside, the
report), in the format of the OpenSSF's Model Signing (https://github.com/ossf/model-signing-spec), by its library.
"""

import atexit
import base64
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import InputError, ModelFileError, SignatureError
from edgevision.core.extras import requires_extra
from edgevision.core.private_keys import PRIVATE_KEY, held_by, refuse_key_itself, said_by
from edgevision.core.regular_files import read_regular, sha256
from edgevision.modelfiles.model_file import external_files, find_report, model_format

PASSWORD = "EDGEVISION_KEY_PASSWORD"
"""The environment variable with the password of a private key."""

_FROM_ENVIRONMENT, _FROM_PROGRAM = "env:", "command:"
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_PIPE_HOLDS = 1 << 14
_PIPES = Path("/dev/fd")
_MISMATCH = "Signature mismatch"


class SigningKey(NamedTuple):
    """Who signs.

    Attributes:
        key: the file of a private key in PEM (elliptic curve P-256, P-384 or P-521), or ``env:NAME`` for one in an
            environment variable, or ``command:PROGRAM ...`` for what a program prints.
        certificate: of that key, in PEM.
        chain: of the authorities between it and the root, in PEM.
    """

    key: str
    certificate: Path | None = None
    chain: Sequence[Path] = ()


def signature_path(model: Path) -> Path:
    """Where the signature of a model lies."""
    return model.with_name(f"{model.name}.sig")


def signed_files(model: Path) -> tuple[str, ...]:
    """What a signature covers, relative to the model's folder: the model, what it refers to, and its report.

    Raises:
        ModelFileError: as :func:`~edgevision.modelfiles.model_file.model_format`; damaged.
    """
    model_format(model)
    report = find_report(model)
    return (model.name, *(data.file for data in external_files(model)), *([report.name] if report.is_file() else []))


def sign_model(model: Path, by: SigningKey, *, force: bool = False) -> Path:
    """Write the signature of a model beside it, and return where.

    Raises:
        InputError: no such key or certificate, or one that cannot sign.
        MissingExtraError: what signs is not installed.
        OutputError: there is a signature already, and ``force`` is false.
    """
    with requires_extra("sign"):
        from model_signing import signing
    hashing = _hashing(model, signed_files(model))
    target = signature_path(model)
    with _key_file(by.key) as key, _translated_key_errors(by.key):
        config = signing.Config().set_hashing_config(hashing)
        password = os.environ.get(PASSWORD)
        if by.certificate is not None:
            if password is not None:
                raise InputError(f"a key with a certificate has no password; unset {PASSWORD}")
            config.use_certificate_signer(
                private_key=key, signing_certificate=by.certificate, certificate_chain=by.chain or [by.certificate]
            )
        else:
            config.use_elliptic_key_signer(private_key=key, password=None if password is None else password.encode())
    with atomic_file(target, force=force) as temporary:
        config.sign(model.parent, temporary)
    return target


def verify_signature(model: Path, key: Path, *, known_as: Path | None = None) -> None:
    """Raise unless the signature beside a model is by ``key`` and of what lies there now.

    Args:
        key: a public key in PEM, or the certificate of the root that the signer's has to come from.
        known_as: what the user calls it, of a copy.

    Raises:
        SignatureError: there is no signature, it is of another key, or a file is missing, added or changed.
        InputError: there is no such key.
        MissingExtraError: what verifies is not installed.
    """
    with requires_extra("sign"):
        from model_signing import verifying
    config = verifying.Config()
    name = str(known_as or model)
    with _translated_key_errors(str(key)):
        if _CERTIFICATE in _read_key(key):
            config.use_certificate_verifier(certificate_chain=[key])
        else:
            config.use_elliptic_key_verifier(public_key=key)
    signature = signature_path(model)
    if not signature.is_file():
        raise SignatureError(f"{name!r} is not signed: there is no {signature.name!r} beside it")
    config.set_hashing_config(_hashing(model, _files_there(model)))
    try:
        config.verify(model.parent, signature)
    except Exception as error:  # each library below has errors of its own for what no key of this one signed
        if not str(error).startswith(_MISMATCH):
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")
            raise SignatureError(
                f"the signature {signature.name!r} of {name!r} is damaged, or not by {str(key)!r}: {reason}"
            ) from error
        raise SignatureError(f"{name!r} is not what was signed: {_differences(model, signature)}") from error


def verified_copy(model: Path, key: Path) -> Path:
    """A verified copy of a model and of all that belongs to it, which nobody can exchange while this process lives.

    What is verified where others can write may be another file when it is opened; the copy lies in a folder of its own,
    which only this user may enter.

    Raises:
        SignatureError, InputError, MissingExtraError: as :func:`verify_signature`.
    """
    if model.is_relative_to(_private_folder()):
        return model
    folder = Path(tempfile.mkdtemp(dir=_private_folder()))
    copy = folder / model.name
    names = [*_files_there(model), signature_path(model).name]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (model.parent / name).is_file():
            shutil.copyfile(model.parent / name, folder / name)
    verify_signature(copy, key, known_as=model)
    return copy


@cache
def _private_folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="edgevision-verified-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _hashing(model: Path, names: Sequence[str]) -> Any:
    """The library's hashing, of these files and not of all in the model's folder."""
    from model_signing import hashing

    files = [model.parent / name for name in names]

    class ModelFiles(hashing.Config):  # type: ignore[misc]  # untyped
        def hash(self, model_path: Any, *, files_to_hash: Any = None) -> Any:
            return super().hash(model_path, files_to_hash=files)

    return ModelFiles().set_allow_symlinks(True)


def _files_there(model: Path) -> list[str]:
    """What belongs to a model and exists; the model alone, where it is damaged so that it does not tell."""
    try:
        return [name for name in signed_files(model) if (model.parent / name).is_file()]
    except ModelFileError:
        model_format(model)
        return [model.name]


def _differences(model: Path, signature: Path) -> str:
    """What has changed since the model was signed, by a signature that has been found genuine."""
    # https://github.com/in-toto/attestation: the statement in the envelope of the bundle.
    payload = json.loads(signature.read_bytes())["dsseEnvelope"]["payload"]
    resources = json.loads(base64.b64decode(payload))["predicate"]["resources"]
    signed = {resource["name"]: resource["digest"] for resource in resources}
    changed = [f"{name!r} has been added" for name in _files_there(model) if name not in signed]
    for name, digest in signed.items():
        file = model.parent / name
        if not file.is_file():
            changed.append(f"{name!r} is missing")
        elif sha256(file) != digest:
            changed.append(f"{name!r}{_part(model, name)} has changed")
    return "; ".join(changed)


def _part(model: Path, name: str) -> str:
    """What of the model a file holds, to say it behind its name."""
    if name == find_report(model).name:
        return ", its report,"
    if name == model.name:
        return ", its graph, metadata or weights,"
    return ", which belongs to it,"


def _read_key(key: Path) -> bytes:
    try:
        content = read_regular(key)
    except OSError as error:
        raise InputError(f"the key {str(key)!r} cannot be read: {error.strerror}") from error
    if PRIVATE_KEY.search(content.decode("latin-1")):
        raise InputError(f"{str(key)!r} is a private key, which stays with who signs; give the public one of it")
    return content


@contextmanager
def _key_file(key: str) -> Iterator[Path]:
    """A path from which the library reads the private key; one that is in no file is not written to a disk."""
    refuse_key_itself(key, "--key", f"give a file of it, {_FROM_ENVIRONMENT}NAME or '{_FROM_PROGRAM}PROGRAM ...'")
    if key.startswith(_FROM_PROGRAM):
        content = said_by(key.removeprefix(_FROM_PROGRAM), "--key").encode()
    elif key.startswith(_FROM_ENVIRONMENT):
        name = key.removeprefix(_FROM_ENVIRONMENT)
        content = held_by(name, " in PEM").encode()
        if len(content) > _PIPE_HOLDS:
            raise InputError(f"the environment variable {name!r} holds {len(content):,} bytes, which is no key")
    else:
        if not Path(key).is_file():
            raise InputError(
                f"the key {key!r} is no file; give one in PEM, {_FROM_ENVIRONMENT}NAME or '{_FROM_PROGRAM}PROGRAM ...'"
            )
        yield Path(key)
        return
    if not _PIPES.is_dir():
        raise InputError(f"this system has no {_PIPES}, by which such a key is read; give a file with it")
    reading, writing = os.pipe()
    try:
        os.write(writing, content)
        os.close(writing)
        yield _PIPES / str(reading)
    finally:
        os.close(reading)


@contextmanager
def _translated_key_errors(key: str) -> Iterator[None]:
    """The library's refusals of a key, without anything of the key."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, TypeError, OSError, AttributeError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        if isinstance(error, TypeError) and "assword" in str(error):
            reason = [f"its password is taken from {PASSWORD}, which it needs or does not have"]
        if isinstance(error, AttributeError):  # the library asks every key for its curve
            reason = ["it is of another kind"]
        raise InputError(
            f"{key!r} is no key for this; one in PEM of the curve P-256, P-384 or P-521 is: {reason[0].rstrip('. ')}"
        ) from error
