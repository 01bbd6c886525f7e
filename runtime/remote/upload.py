"""Copying what a board lacks of a job and of what it runs in; each file goes once, by its hash."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from edgevision.runtime.remote.call import Message, not_understood
from edgevision.runtime.remote.environment import Environment
from edgevision.runtime.remote.job import Content, Job, digest_of, size_of, translated_read_errors
from edgevision.runtime.remote.session import Session

_CHUNK = 1 << 20
_SECONDS_BETWEEN_REPORTS = 10.0


def upload(session: Session, job: Job, environment: Environment) -> bool:
    """Copy the inputs, the code where the board has another, and unless it is prepared what the environment is made of.

    Returns whether the environment was prepared before.
    """
    code, requirements = environment.software.code, environment.software.requirements
    archive = digest_of(code.archive)
    contents: dict[str, Content] = {job.digests[name]: content for name, content in job.inputs.items()}
    answer, lacking = _missing(session, environment, contents | {archive: code.archive})
    if answer.get("unpacked") is True:
        lacking.pop(archive, None)
    prepared = answer.get("prepared") is True
    if not prepared:
        made_of: dict[str, Content] = {digest_of(requirements.data): requirements.data}
        made_of |= {digest: environment.wheels[name] for name, digest in environment.digests.items()}
        lacking |= _missing(session, environment, made_of)[1]
    if lacking:
        sizes = {digest: size_of(content) for digest, content in lacking.items()}
        total = sum(sizes.values())
        session.say(f"copying {len(lacking)} file{'s'[: len(lacking) > 1]}, {total / 1e6:.1f} MB")
        session.call("store", files=list(sizes.items()), payload=_payload(session, list(lacking.values()), total))
    return prepared


def _missing(
    session: Session, environment: Environment, contents: Mapping[str, Content]
) -> tuple[Message, dict[str, Content]]:
    """What the board has of the environment, and those of the contents, by sha256, that it does not hold."""
    code = environment.software.code.key
    answer = session.call("missing", environment=environment.key, code=code, files=list(contents))
    if not isinstance(answer.get("files"), list):
        raise not_understood(answer)
    named = {digest for digest in answer["files"] if isinstance(digest, str)}
    return answer, {digest: content for digest, content in contents.items() if digest in named}


def _payload(session: Session, contents: Sequence[Content], total: int) -> Iterator[bytes]:
    sent, said = 0, time.monotonic()
    for content in contents:
        with ExitStack() as stack:
            if isinstance(content, bytes):
                pieces = iter([content])
            else:
                stack.enter_context(translated_read_errors(content))
                file = stack.enter_context(content.open("rb"))
                pieces = iter(partial(file.read, _CHUNK), b"")
            for piece in pieces:
                yield piece
                sent += len(piece)
                if time.monotonic() - said > _SECONDS_BETWEEN_REPORTS:
                    said = time.monotonic()
                    session.say(f"copied {sent / 1e6:.1f} of {total / 1e6:.1f} MB")
