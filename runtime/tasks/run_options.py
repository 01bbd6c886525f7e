"""What the verbs share that run one model and write files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevision.cli.options import (
    DeviceOption,
    FallbackOption,
    ForceOption,
    JsonOption,
    QuietOption,
    ThreadsOption,
)
from edgevision.cli.output import echo, print_json
from edgevision.core.printable import one_line
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engine_facts import engine_facts, headline
from edgevision.runtime.load import load
from edgevision.runtime.model_options import ModelOption
from edgevision.runtime.shipped_models import shipped_model


@dataclass(frozen=True, kw_only=True)
class VerbOptions:
    """What every verb takes that runs models and writes files."""

    device: DeviceOption = "cpu"
    allow_fallback: FallbackOption = False
    threads: ThreadsOption = None
    force: ForceOption = False
    as_json: JsonOption = False
    quiet: QuietOption = False


@dataclass(frozen=True, kw_only=True)
class RunOptions(VerbOptions):
    """What every verb takes that runs one model and writes files."""

    model: ModelOption = None

    @property
    def pipeline_threads(self) -> int | None:
        """CPU threads of one pipeline; ``None`` for what the engine takes by itself."""
        return self.threads


def open_pipeline(task: str, options: RunOptions, **how: Any) -> Any:
    """The model that is named, or the one that ships for the ``task``, where the options say.

    ``how`` are more arguments of :func:`edgevision.load`, and it raises as that does.
    """
    return load(
        options.model or shipped_model(task),
        options.device,
        threads=options.pipeline_threads,
        allow_fallback=options.allow_fallback,
        task=task,
        **how,
    )


def announce(pipeline: Any, options: RunOptions) -> None:
    """Say what runs where, and of a model that ships what it is for, on standard error; nothing beside a document."""
    if options.quiet or options.as_json:
        return
    echo(headline(pipeline.metadata.name, pipeline.engine), err=True)
    if options.model is None:
        say_what_ships(pipeline.metadata.task)


def say_what_ships(task: str) -> None:
    """Of a ``task`` that is for more, what the model finds that ships for it; on standard error."""
    only = find_task(task).ships_for
    if only is not None:
        echo(f"the model that ships for {task} finds {only}; for anything else name one with --model", err=True)


def report_written(
    pipeline: Any, written: Sequence[Path | str], seconds: float, options: RunOptions, **more: Any
) -> None:
    """Print what was written, and with ``--json`` what ran, where, and for how long."""
    if not options.as_json:
        for path in written:
            echo(one_line(path))
        return
    print_json(
        {
            "model": str(options.model or f"{pipeline.metadata.task} (shipped)"),
            "name": pipeline.metadata.name,
            **engine_facts(pipeline.engine),
            "seconds": round(seconds, 3),
            **more,
            "outputs": [str(path) for path in written],
        }
    )
