"""What a user may ask of int8, in words of the command line; nothing here needs more than that."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import typer

from edgevision.cli.options import ThreadsOption


class Preset(StrEnum):
    """How long it may take, in time of a processor with two cores that nothing else uses."""

    QUICK = "quick"
    """Two minutes: the ranges, everything in int8, and a few likely sets."""
    DEFAULT = "default"
    """Five minutes: the search within the quality budget."""
    THOROUGH = "thorough"
    """Half an hour: on more data, and every part by itself."""


class Preference(StrEnum):
    """What is written where int8 does not pay in time."""

    SPEED = "speed"
    """The fastest form, weight-only int8 where that is as fast."""
    SIZE = "size"
    """The smallest file that holds the quality budget."""
    INT8 = "int8"
    """The fastest form with int8 arithmetic that holds the quality budget."""


class EngineChoice(StrEnum):
    """What a model may be run in afterwards."""

    ANY = "any"
    """Those that are installed: the fastest of them is written into the file, which all of them read."""
    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"


@dataclass(frozen=True, kw_only=True)
class QuantizationOptions:
    """How to quantise.

    Attributes:
        calibration: a folder, zip or ``.npz`` of real data; generators need none.
        judge_by: the figure that a detector is judged by on a clip; ``None`` for what its task judges pictures by.
        judge: the other half of a codec; ``None`` for the one that ships.
        target: a name of ``targets.py``.
        engine: what forms are run in, each with all that it computes in on this CPU.
        max_drop: the largest loss of the task's metric, or the least SQNR in dB where that is judged.
        threads: CPU threads to time with; by default as many as there are cores.
        batch: inputs a run that is timed; by default what the model's batch is fixed to, or one.
        time_budget: what all of it may take on the clock, as ``3m``, instead of a preset.
        finetune: train for the fastest int8 form where it is not within the budget.
        keep_candidates: keep what is in the verdict's table in ``NAME.candidates/``.
    """

    panel: ClassVar[str] = "With --int8"

    calibration: Annotated[
        Path | None, typer.Option(help="Real pictures (folder, zip) or inputs (.npz); generators need none.")
    ] = None
    judge_by: Annotated[
        Literal["hota"] | None,
        typer.Option(
            help="Judge a detector by its tracks in a clip, --data, with gt.txt (MOT) beside it.",
            show_default="the task's figure on pictures",
        ),
    ] = None
    judge: Annotated[
        Path | None,
        typer.Option(help="The other half of a codec, in float.", show_default="the one that ships"),
    ] = None
    target: Annotated[
        str, typer.Option(help="The device, as auto (this CPU), x86-avx2, pi5, orin-nano, qualcomm-htp.")
    ] = "auto"
    engine: Annotated[EngineChoice, typer.Option(help="What is to run it.", show_default="any that is installed")] = (
        EngineChoice.ANY
    )
    preset: Annotated[
        Preset, typer.Option(help="How long to search: about 2, 5 or 30 minutes of the processor's time at most.")
    ] = Preset.DEFAULT
    prefer: Annotated[Preference, typer.Option(help="What to write where int8 does not pay in time.")] = (
        Preference.SPEED
    )
    max_drop: Annotated[
        float | None,
        typer.Option(help="Largest loss.", show_default="0.3 points, 0.1 dB, or what leaves 30 dB of SQNR"),
    ] = None
    threads: ThreadsOption = None
    batch: Annotated[
        int | None,
        typer.Option(min=1, max=4096, help="Inputs a run that is timed; the verdict holds for it.", show_default="1"),
    ] = None
    time_budget: Annotated[
        str | None, typer.Option("--budget", help="Time on the clock for all of it, as 30s, 3m or 1h; over --preset.")
    ] = None
    finetune: Annotated[
        bool, typer.Option("--finetune", help="Where the fastest int8 form loses too much, train it to lose less.")
    ] = False
    keep_candidates: Annotated[
        bool, typer.Option("--keep-candidates", help="Keep the table's forms in NAME.candidates/, to time them again.")
    ] = False
