"""Options that mean the same in every verb, each declared once, and the panels of ``--help`` that they stand in."""

import os
from typing import Annotated, Any

import typer

from edgevision.data.hole_kinds import HoleKind
from edgevision.data.noise_kinds import NoiseKind

DEVICE_PANEL = "Model and device"
OUTPUT_PANEL = "Output"
DAMAGE_PANEL = "Damage of the pictures"

_MOST_THREADS = max(64, 4 * (os.cpu_count() or 1))
"""Beyond what a machine has they only wait for each other, for minutes where there are a thousand."""

_DEVICE: dict[str, Any] = {
    "help": "cpu, cuda, tensorrt, gpu, npu, auto, or exactly as openvino:npu.",
    "rich_help_panel": DEVICE_PANEL,
}
DEVICES = typer.Option("--device", "-d", **_DEVICE, show_default="the CPU, in every engine that is installed")
THREADS = typer.Option(
    "--threads",
    min=1,
    max=_MOST_THREADS,
    help="CPU threads.",
    show_default="as many as there are cores",
    rich_help_panel=DEVICE_PANEL,
)
"""The options themselves, for verbs that take several of each."""

DeviceOption = Annotated[str, typer.Option("--device", "-d", **_DEVICE)]
FallbackOption = Annotated[
    bool,
    typer.Option(
        "--allow-fallback",
        help="Let the CPU do what the device cannot; without it that is an error.",
        rich_help_panel=DEVICE_PANEL,
    ),
]
ThreadsOption = Annotated[int | None, THREADS]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.", rich_help_panel=OUTPUT_PANEL)
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite what exists.", rich_help_panel=OUTPUT_PANEL)]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no remarks.", rich_help_panel=OUTPUT_PANEL)
]
NoiseOption = Annotated[
    NoiseKind, typer.Option(help="Kind of noise added to pictures to denoise.", rich_help_panel=DAMAGE_PANEL)
]
SigmaOption = Annotated[
    float,
    typer.Option(
        min=0,
        max=255,
        help="Strength of white and camera noise, of 255; the most of mixed noise.",
        rich_help_panel=DAMAGE_PANEL,
    ),
]
HolesOption = Annotated[
    HoleKind, typer.Option(help="What the holes to inpaint look like.", rich_help_panel=DAMAGE_PANEL)
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Makes random choices repeatable.")]
