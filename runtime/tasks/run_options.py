"""What the verbs share that run one model and write files."""

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
from edgevision.runtime.engine_facts import engine_facts, headline
from edgevision.runtime.model_options import ModelOption


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


def announce(pipeline: Any, options: RunOptions) -> None:
    """Say what runs where, on standard error."""
    if not options.quiet and not options.as_json:
        echo(headline(pipeline.metadata.name, pipeline.engine), err=True)


def report_written(pipeline: Any, written: list[Path], seconds: float, options: RunOptions, **more: Any) -> None:
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
