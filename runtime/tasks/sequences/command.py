"""The verb ``edgevision run sequence``."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.core.printable import one_line
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.streams.frame import Frame
from edgevision.runtime.tasks.classification.result import Classification
from edgevision.runtime.tasks.run_streams import FrameVerb, run_streams
from edgevision.runtime.tasks.sequences.sequence_classifier import SequenceClassifier, Watcher
from edgevision.runtime.tasks.sequences.task import SEQUENCE
from edgevision.runtime.tasks.stream_options import StreamOptions


@dataclass(frozen=True, kw_only=True)
class _Options(StreamOptions):
    """What is printed, and what is written."""

    top: Annotated[int, typer.Option(min=1, help="How many labels to show.", rich_help_panel=OUTPUT_PANEL)] = 1
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Video with the label in it, a folder/ of frames, or http://127.0.0.1:PORT.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None


@on_boards("run sequence", "edgevision.runtime.tasks.sequences.board_files:sequence_files")
@option_groups
def sequence(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Videos, GIFs, folders of frames, or cameras.")
    ],
    *,
    options: _Options,
) -> None:
    """Say what is going on, after every frame, with its probability.

    The answer after the last frame is that for a clip. A model exported with --part stream does one frame's work a
    frame; one that takes windows runs all frames of the window again.

    Examples:
        edgevision run sequence digit.gif
        edgevision run sequence wave.gif --model gestures.onnx
        edgevision run sequence camera:0 --model gestures.onnx --json
        edgevision run sequence clip.mp4 --model gestures.onnx -o labelled.mp4
        edgevision run sequence wave.gif --model gestures.onnx --on pi@raspberrypi.local
    """
    watchers: dict[int, Watcher] = {}

    def answer(classifier: SequenceClassifier, frames: list[Frame]) -> list[Classification]:
        for frame in frames:
            if frame.source not in watchers:
                watchers[frame.source] = classifier.watch()
        return [watchers[frame.source].next(frame.pixels) for frame in frames]

    def line(result: Any) -> str:
        return "  ".join(f"{one_line(label)} {100 * p:.1f} %" for label, p in result.top(options.top))

    run_streams(FrameVerb(SEQUENCE.name, answer, line=line), sources, options.output, options)
