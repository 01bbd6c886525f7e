"""The option ``--on``, for any verb: the same command line, run on boards."""

from collections.abc import Callable, Sequence
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from edgevision.cli.options import DEVICE_PANEL
from edgevision.core.errors import InputError
from edgevision.core.lazy_objects import load_object
from edgevision.runtime.files.stored_files import is_stored

_On = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="HOST",
        help="Run there over SSH instead, e.g. pi@raspberrypi.local; repeatable.",
        rich_help_panel=DEVICE_PANEL,
    ),
]
_Wheelhouse = Annotated[
    Path | None,
    typer.Option(
        "--wheelhouse",
        metavar="DIR",
        help="Wheels for a board without internet; edgevision's is not needed.",
        rich_help_panel=DEVICE_PANEL,
    ),
]


class Boards(NamedTuple):
    """Where to run a command line: the hosts as ssh takes them, what wheels there are, what stands before the verb."""

    hosts: Sequence[str]
    wheelhouse: Path | None = None
    options: tuple[str, ...] = ()


def on_boards(
    verb: str, files: str, *, dispatch: str = "edgevision.runtime.remote.dispatch:dispatch"
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate the verb that is called as ``run denoise`` so that it takes ``--on``.

    ``files`` is the ``module:function`` that says what the verb's values mean for a board: it gets the
    :class:`~edgevision.runtime.remote.remote_command.RemoteCommand` with the user's values and adds what is sent and
    what comes back. ``dispatch`` runs that on the boards and shows the results. Both are imported when needed.
    """
    added = [
        Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context),
        Parameter("on", Parameter.KEYWORD_ONLY, default=None, annotation=_On),
        Parameter("wheelhouse", Parameter.KEYWORD_ONLY, default=None, annotation=_Wheelhouse),
    ]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = list(signature(function).parameters.values())

        def command(
            *, context: typer.Context, on: list[str] | None = None, wheelhouse: Path | None = None, **values: Any
        ) -> None:
            if on and values.get("ray") is not None:
                raise InputError("--on runs on a board and --ray on a cluster; give one of them")
            if on and values.get("files") is not None:
                raise InputError("--files is not for boards; name the pictures as INPUT")
            if on and is_stored(str(values.get("output"))):
                raise InputError("results come back from boards to this machine; name a folder of it with -o")
            if on:
                from edgevision.runtime.remote.remote_command import RemoteCommand

                cores = context.find_root().params.get("cores")
                boards = Boards(on, wheelhouse, () if cores is None else ("--cores", cores))
                remote = RemoteCommand(verb, own, values)
                load_object(files)(remote)
                load_object(dispatch)(remote, boards)
            elif wheelhouse is not None:
                raise InputError("--wheelhouse is for boards; name one with --on")
            else:
                function(**values)

        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__signature__ = Signature([*own, *added])  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in (*own, *added)}
        return command

    return decorate
