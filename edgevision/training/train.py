"""``edgevision.train``: what is to be learned and from what, and the checkpoint out."""

import os
from collections.abc import Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from edgevision.core.extras import requires_extra
from edgevision.core.lazy_objects import load_object
from edgevision.training.settings import TrainingSettings
from edgevision.training.trainings import TRAININGS

Kind = Literal[
    "classify",
    "sequence",
    "gan",
    "vae",
    "detect",
    "segment",
    "keypoints",
    "compress",
    "inpaint",
    "denoise",
    "upscale",
    "brighten",
    "colorize",
    "stylize",
    "translate",
]

_Path = str | os.PathLike[str]


def train(
    kind: Kind,
    data: _Path | Sequence[_Path],
    output: _Path | None = None,
    *,
    force: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Path | None:
    """Train a network, and return the checkpoint's path, for :func:`edgevision.export`.

        checkpoint = edgevision.train("classify", "photos.zip", model="mobilenet", epochs=30, augment=["flip"])
        checkpoint = edgevision.train("denoise", ["photos", "more.zip"], "runs/denoise", steps=20_000, sigma=(0, 50))

    A script that trains with ``devices`` above one, or with ``workers``, needs its ``if __name__ == "__main__"``.

    Args:
        kind: what is trained.
        data: a folder or zip of ``[train/]CLASS/picture``, or ``"digits"``, which is built in; for restoration one or
            several folders or zips of good photographs.
        output: the folder of this training; that of an interrupted one with the same settings is resumed. Without it
            is under ``runs/``.
        force: replace another training in ``output``.
        quiet: show no progress.
        settings: as the options of ``edgevision train``, with underscores: of
            :class:`~edgevision.training.settings.ClassifierSettings`, ``GanSettings``, ``VaeSettings`` or
            ``RestorationSettings``.

    Returns:
        The checkpoint, or ``None`` in a process that Lightning started to help.

    Raises:
        ValueError: another kind, or a setting of another type.
        TypeError: a setting that this training does not have.
        InputError, DatasetError, OutputError: settings, data or a folder that cannot be used.
        CollapseError: a GAN went wrong in a way that more steps would not mend.
        MissingExtraError: the training extra is not installed.
    """
    chosen = training_settings(kind, data, **settings)
    return train_with(kind, chosen, None if output is None else Path(output), force=force, quiet=quiet)


def training_settings(kind: str, data: _Path | Sequence[_Path], **given: Any) -> TrainingSettings:
    """The settings of a training of that ``kind``, checked; raises as :func:`train`."""
    if kind not in TRAININGS:
        raise ValueError(f"what is trained is one of {', '.join(TRAININGS)}, not {kind!r}")
    record: type[TrainingSettings] = load_object(TRAININGS[kind].settings)
    known = {field.name for field in fields(record)} - {"extra", "kind", "data"}
    for name in given.keys() - known:
        similar = get_close_matches(name, known, n=1)
        hint = f"did you mean {similar[0]!r}?" if similar else f"it has {', '.join(sorted(known))}"
        raise TypeError(f"a training of {kind} has no setting {name!r}; {hint}")
    given = {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in given.items()}
    sources = [os.fspath(data)] if isinstance(data, str | os.PathLike) else [os.fspath(source) for source in data]
    return record.from_sources(kind, sources, given)


def train_with(kind: str, settings: TrainingSettings, folder: Path | None, *, force: bool, quiet: bool) -> Path | None:
    """Train that ``kind`` with ``settings`` in ``folder``, or one under runs/; as :func:`train`."""
    training = TRAININGS[kind]
    # What is wrong with the data is said at once: torch and Lightning take a minute to import on a slow machine.
    load_object(training.check_data)(settings)
    with requires_extra("train"):
        run = load_object(training.train)
        from edgevision.training.run_folder import nothing_left_if_refused
    path = folder or Path("runs") / settings.run_name
    with nothing_left_if_refused(path):
        checkpoint: Path | None = run(settings, path, force=force, quiet=quiet)
    return checkpoint
