"""The model that a verb is for: a file, or the name of a model that ships."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from edgevision.cli.options import DEVICE_PANEL
from edgevision.runtime.shipped_models import resolve_model, shipped_names


def _resolve(value: Path | None) -> Path | None:
    return None if value is None else resolve_model(value)


def _resolve_all(value: list[Path] | None) -> list[Path]:
    return [resolve_model(path) for path in value or ()]


def _complete(incomplete: str) -> Iterator[str]:
    """The names of shipped models, and what :func:`_resolve` would take from disk, for a shell."""
    from edgevision.modelfiles.model_file import MODEL_SUFFIXES

    yield from shipped_names()
    folder = Path(incomplete if incomplete.endswith("/") else Path(incomplete).parent)
    for path in sorted(folder.glob("*")):
        if path.is_dir() or path.suffix in MODEL_SUFFIXES:
            yield f"{path}/" if path.is_dir() else str(path)


def model_argument(help: str, *, other: Path | None = None) -> Any:
    """The argument ``MODEL`` with a ``help`` of its own, which may be the word ``other`` instead."""
    return typer.Argument(
        metavar="MODEL",
        callback=lambda value: value if value == other else _resolve(value),
        autocompletion=_complete,
        help=help,
    )


ModelArgument = Annotated[
    Path,
    model_argument("Model file (.onnx, .xml, .tflite, .param, .rknn), or the name of one that ships, as classify."),
]


def models_argument(help: str) -> Any:
    """The argument ``MODEL...`` with a ``help`` of its own."""
    return typer.Argument(metavar="MODEL", callback=_resolve_all, autocompletion=_complete, help=help)


ModelsArgument = Annotated[
    list[Path],
    models_argument("Model files (.onnx, .xml, .tflite, .param, .rknn), or names of those that ship, as classify."),
]


def model_option(help: str, *names: str) -> Any:
    """The option ``--model``, or of these ``names``, with a ``help`` of its own, for :class:`typing.Annotated`."""
    return typer.Option(
        *(names or ("--model", "-m")),
        callback=_resolve,
        autocompletion=_complete,
        help=help,
        rich_help_panel=DEVICE_PANEL,
    )


ModelOption = Annotated[
    Path | None,
    model_option(
        "Model file (.onnx, .xml, .tflite, .param, .rknn), or the name of one that ships; by default the one for this."
    ),
]
