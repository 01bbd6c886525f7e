"""Whether models have to be signed, and by whom: what the user says once holds for every model that is opened.

Kept apart from what verifies, which needs an extra: nothing of it is imported where no signature is asked for.
"""

import os
from contextlib import AbstractContextManager
from pathlib import Path

from edgevision.core.environment import environment_variable

REQUIRED_KEY = "EDGEVISION_REQUIRE_SIGNATURE"
"""The environment variable with the key, which workers and other processes of ours inherit."""


def required_key() -> Path | None:
    """The public key, or certificate, by which every model has to be signed; ``None`` where none has to."""
    key = os.environ.get(REQUIRED_KEY)
    return Path(key).absolute() if key else None


def required_signatures(key: Path) -> AbstractContextManager[None]:
    """Require signatures by ``key`` during a block."""
    return environment_variable(REQUIRED_KEY, str(key))


def verify_where_required(model: Path) -> None:
    """Verify the signature of a model where the user asked for it; else nothing.

    Raises:
        SignatureError, InputError, MissingExtraError: as :func:`~edgevision.modelfiles.signature.verify_signature`.
    """
    key = required_key()
    if key is not None:
        from edgevision.modelfiles.signature import verify_signature

        verify_signature(model, key)


def verified_where_required(model: Path) -> Path:
    """The file to open: a verified copy that nobody can exchange, where the user asked for signatures, else ``model``.

    Raises:
        SignatureError, InputError, MissingExtraError: as :func:`~edgevision.modelfiles.signature.verified_copy`.
    """
    key = required_key()
    if key is None:
        return model
    from edgevision.modelfiles.signature import verified_copy

    return verified_copy(model, key)
