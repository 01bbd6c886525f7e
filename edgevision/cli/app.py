"""The program: one explicit table from verbs to functions. No verb's module is imported before the verb is called."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
import typer.main

from edgevision import __version__
from edgevision.cli.groups import LazyGroup, Verb, VerbGroup
from edgevision.cli.output import echo, end_interrupted
from edgevision.cli.quick_start import plain_completion
from edgevision.core.errors import DISK_FULL, DiskFullError, EdgevisionError, InputError
from edgevision.core.terminal import guarded_streams
from edgevision.modelfiles.composition_registry import COMPOSITIONS
from edgevision.modelfiles.signature_policy import required_signatures
from edgevision.modelfiles.task_registry import find_task, task_names

_PROGRAM_OPTIONS = ("--cores", "--require-signature", "--model-key")
"""Those of the program itself that have a value."""


class _RunVerbs(Mapping[str, Verb]):
    """The verbs of all tasks, of which a room is looked into when its verb is asked for, and what is made of them."""

    def __getitem__(self, name: str) -> Verb:
        if name in COMPOSITIONS:
            return Verb(COMPOSITIONS[name].command, COMPOSITIONS[name].summary)
        if name not in task_names():
            raise KeyError(name)
        task = find_task(name)
        return Verb(task.command, task.summary)

    def __iter__(self) -> Iterator[str]:
        yield from task_names()
        yield from COMPOSITIONS

    def __len__(self) -> int:
        return len(task_names()) + len(COMPOSITIONS)


VERBS: Mapping[str, Verb | VerbGroup] = {
    "devices": Verb(
        "edgevision.runtime.commands.devices:devices", "What this machine can run on, and why not on the rest."
    ),
    "train": VerbGroup(
        {
            "classify": Verb("edgevision.training.commands.classify:classify", "Train a classifier on class folders."),
            "sequence": Verb("edgevision.training.commands.sequence:sequence", "Train a network on clips in folders."),
            "detect": Verb("edgevision.training.commands.detect:detect", "Train a detector on pictures with boxes."),
            "segment": Verb(
                "edgevision.training.commands.segment:segment", "Train a network that tells what each pixel is."
            ),
            "keypoints": Verb(
                "edgevision.training.commands.keypoints:keypoints", "Train a network that finds points on things."
            ),
            "gan": Verb(
                "edgevision.training.commands.generate:gan", "Train a generator of pictures against a discriminator."
            ),
            "vae": Verb("edgevision.training.commands.generate:vae", "Train a variational autoencoder."),
            "restore": Verb(
                "edgevision.training.commands.restore:restore",
                "Train inpainting, denoising, upscaling, brightening or colorizing.",
            ),
            "stylize": Verb(
                "edgevision.training.commands.stylize:stylize", "Train a network that paints pictures in other styles."
            ),
            "translate": Verb(
                "edgevision.training.commands.translate:translate",
                "Train a network that turns pictures of one kind into another.",
            ),
            "compress": Verb(
                "edgevision.training.commands.compress:compress", "Train a network that compresses photographs."
            ),
        },
        "Train a network in PyTorch.",
    ),
    "export": Verb(
        "edgevision.exporters.commands:export", "Turn a PyTorch checkpoint into one self-describing model file."
    ),
    "verify": Verb("edgevision.exporters.commands:verify", "Check a model against the checkpoint it was made from."),
    "diff": Verb(
        "edgevision.exporters.comparison.command:diff", "Where two forms of a model part, layer by layer, and why."
    ),
    "build": Verb("edgevision.exporters.recipes.command:build", "Build and judge a model as a recipe says."),
    "inspect": Verb(
        "edgevision.runtime.commands.inspect:inspect", "Metadata, inputs, operators, size and hash of a model file."
    ),
    "evaluate": Verb(
        "edgevision.runtime.commands.evaluate:evaluate",
        "How good a model is: accuracy, average precision, IoU, PSNR, and so on.",
    ),
    "sign": Verb("edgevision.runtime.commands.sign:sign", "Sign a model, so that nobody changes it unnoticed."),
    "encrypt": Verb("edgevision.runtime.commands.encrypt:encrypt", "Encrypt a model for those who may run it."),
    "run": VerbGroup(_RunVerbs(), "Run a model on files, folders, globs or standard input."),
    "bench": Verb("edgevision.runtime.commands.bench:bench", "Measure models and the board on this machine."),
    "serve": Verb("edgevision.runtime.serving.command:serve", "Answer requests over HTTP, and show a page."),
    "web": Verb("edgevision.runtime.web.command:web", "Write a page that runs models in the visitor's browser."),
    "compare": Verb("edgevision.runtime.commands.compare:compare", "Compare two measurements, with intervals."),
    "tour": Verb("edgevision.runtime.commands.tour:tour", "See what it does, on pictures that ship, in a minute."),
    "report-bug": Verb(
        "edgevision.runtime.commands.report_bug:report_bug", "Write what a report of a fault needs, to be read first."
    ),
}


class _Program(LazyGroup):
    verbs = VERBS


app = typer.Typer(
    cls=_Program,
    # As wide as the terminal, which the groups and verbs inherit.
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": sys.maxsize},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        echo(f"edgevision {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    cores: Annotated[
        str | None,
        typer.Option(
            "--cores", help="CPU cores to keep to, as 0-3 or 4,6: the fast ones of a board, say; anywhere on the line."
        ),
    ] = None,
    signed_by: Annotated[
        Path | None,
        typer.Option(
            "--require-signature",
            metavar="KEY",
            help="Open no model that this public key, or certificate, has not signed; anywhere on the line.",
        ),
    ] = None,
    key_source: Annotated[
        str | None,
        typer.Option(
            "--model-key",
            metavar="KEY",
            help="Private key for encrypted models: a file, env:NAME or 'command:PROGRAM ...'; anywhere on the line.",
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; anywhere on the line.")
    ] = False,
) -> None:
    """Export, run and benchmark vision models on edge devices."""
    if signed_by is not None:
        context.with_resource(required_signatures(signed_by))
    if key_source is not None:
        from edgevision.modelfiles.encrypted_model import model_key

        context.with_resource(model_key(key_source))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the answer is no, 2 wrong command, 3 no device or extra, 130 Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    quiet = "--quiet" in words or "-q" in words
    with guarded_streams(), _log_on_stderr(quiet=quiet, debug="--debug" in words):
        _main(words)


def _main(arguments: list[str]) -> None:
    debug = "--debug" in arguments
    if "_EDGEVISION_COMPLETE" in os.environ:  # a shell asks, by the script of --show-completion
        plain_completion()
    try:
        words = _program_options_first(word for word in arguments if word != "--debug")
        try:
            typer.main.get_command(app).main(words, prog_name="edgevision")
        finally:
            sys.stdout.flush()  # what cannot be written is an error, which nobody would see later
    except EdgevisionError as error:
        _remember(error, arguments)
        if debug:
            raise
        echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.exit(1)
    except KeyboardInterrupt as interrupt:
        end_interrupted(interrupt)
    except Exception as error:
        _remember(error, arguments)
        if debug:
            raise
        ours = _of_the_system(error)
        if ours is not None:
            echo(f"error: {ours}", err=True)
            sys.exit(ours.exit_code)
        echo(f"error: {type(error).__name__}: {error}", err=True)
        echo("This is a fault of edgevision; --debug shows where, edgevision report-bug what to send.", err=True)
        sys.exit(1)


def _remember(error: Exception, arguments: Sequence[str]) -> None:
    """Keep the error for a report of it, whatever else goes wrong."""
    with suppress(Exception):
        from edgevision.core.last_error import record_error

        groups = (verb.verbs for verb in VERBS.values() if isinstance(verb, VerbGroup))
        record_error(error, arguments, [*VERBS, *(name for group in groups for name in group)])


def _of_the_system(error: Exception) -> EdgevisionError | None:
    """The error in our words where the machine or the input is to blame, wherever it came up; ``None`` otherwise."""
    if isinstance(error, MemoryError):
        return EdgevisionError("this takes more memory than there is; give less at once, or smaller pictures")
    if isinstance(error, RecursionError):
        return InputError("something in the input is nested too deeply to be read")
    if isinstance(error, UnicodeError):
        return InputError(f"a text or a file name is not in the encoding that it should be in: {error}")
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
        if error.errno in DISK_FULL:
            return DiskFullError(f"no space left: {reason}; free some and run again")
        return InputError(
            f"{str(error.filename)!r} cannot be used: {reason}" if error.filename else f"failed: {reason}"
        )
    return None


def _program_options_first(arguments: Iterable[str]) -> list[str]:
    """Typer takes an option of the program before the verb only."""
    first: list[str] = []
    others: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            others.append(word)
            break
        (first if word.split("=")[0] in _PROGRAM_OPTIONS else others).append(word)
        if word in _PROGRAM_OPTIONS:
            first += islice(words, 1)
    return [*first, *others, *words]


@contextmanager
def _log_on_stderr(*, quiet: bool, debug: bool) -> Iterator[None]:
    """Show what the library logs while a command runs: standard error may be another, or closed, afterwards."""
    import logging

    from edgevision.core.remarks import remarks

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("edgevision")
    before = logger.handlers[:], logger.level
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO)
    remarks.setLevel(logging.ERROR if quiet else logging.NOTSET)
    try:
        yield
    finally:
        logger.handlers[:], level = before
        logger.setLevel(level)
