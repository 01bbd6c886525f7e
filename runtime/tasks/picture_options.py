"""Options that the verbs share whose every input becomes one file, pictures of pictures or not."""

from pathlib import Path
from typing import Annotated, Any

import typer

from edgevision.cli.options import OUTPUT_PANEL

InputsArgument = Annotated[
    list[str],
    typer.Argument(metavar="INPUT", help="Files, folders, globs, URLs, or - for stdin.", show_default=False),
]
NO_INPUTS: Any = ()
"""Where pictures are listed instead; a tuple stands for no list, which could be changed."""
CompareOption = Annotated[
    Path | None,
    typer.Option(help="Also write before and after side by side; a folder for several.", rich_help_panel=OUTPUT_PANEL),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Skip pictures whose result exists.", rich_help_panel=OUTPUT_PANEL)
]
