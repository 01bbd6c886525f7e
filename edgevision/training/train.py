"""``edgevision.train``: what is to be learned and from what, and the checkpoint out."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from edgevision.core.extras import requires_extra
from edgevision.core.lazy_objects import load_object
from edgevision.runtime.tasks.restoration.spec import RestorationKind
from edgevision.training.settings import (
    RESTORATION_DEFAULTS,
    ClassifierSettings,
    GanSettings,
    GenerativeSettings,
    RestorationSettings,
    TrainingSettings,
    VaeSettings,
    restoration_defaults,
)

Kind = Literal["classify", "gan", "vae", "inpaint", "denoise", "upscale", "brighten"]

_SETTINGS: Mapping[str, type[TrainingSettings]] = {
    "classify": ClassifierSettings,
    "gan": GanSettings,
    "vae": VaeSettings,
    **{kind.value: RestorationSettings for kind in RESTORATION_DEFAULTS},
}

_TRAININGS: Mapping[type[TrainingSettings], str] = {
    ClassifierSettings: "edgevision.training.classify:train_classifier",
    GanSettings: "edgevision.training.gan:train_gan",
    VaeSettings: "edgevision.training.vae:train_vae",
    RestorationSettings: "edgevision.training.restore:train_restorer",
}
"""What trains with which settings; it imports torch."""

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
    return train_with(chosen, None if output is None else Path(output), force=force, quiet=quiet)


def training_settings(kind: str, data: _Path | Sequence[_Path], **given: Any) -> TrainingSettings:
    """The settings of a training of that ``kind``, checked; raises as :func:`train`."""
    if kind not in _SETTINGS:
        raise ValueError(f"what is trained is one of {', '.join(_SETTINGS)}, not {kind!r}")
    record = _SETTINGS[kind]
    known = {field.name for field in fields(record)} - {"extra", "kind", "data"}
    for name in given.keys() - known:
        similar = get_close_matches(name, known, n=1)
        hint = f"did you mean {similar[0]!r}?" if similar else f"it has {', '.join(sorted(known))}"
        raise TypeError(f"a training of {kind} has no setting {name!r}; {hint}")
    given = {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in given.items()}
    sources = [os.fspath(data)] if isinstance(data, str | os.PathLike) else [os.fspath(source) for source in data]
    if record is RestorationSettings:
        document = {"kind": kind, "data": sources} | restoration_defaults(RestorationKind(kind), given)
    elif len(sources) == 1:
        document = {"data": sources[0]} | given
    else:
        raise ValueError(f"a training of {kind} takes one folder or zip of pictures, not {len(sources)}")
    return record.from_dict(document, kind)


def train_with(settings: TrainingSettings, folder: Path | None, *, force: bool, quiet: bool) -> Path | None:
    """Train with ``settings`` in ``folder``, or one under runs/; as :func:`train`."""
    from edgevision.training.data_source import check_data

    # What is wrong with the data is said at once: torch and Lightning take a minute to import on a slow machine.
    check_data(settings)
    with requires_extra("train"):
        run = load_object(_TRAININGS[type(settings)])
    checkpoint: Path | None = run(settings, folder or _default_folder(settings), force=force, quiet=quiet)
    return checkpoint


def _default_folder(settings: TrainingSettings) -> Path:
    if isinstance(settings, RestorationSettings):
        return Path("runs") / f"{settings.kind}-{settings.model}"
    assert isinstance(settings, ClassifierSettings | GenerativeSettings)
    return Path("runs") / f"{Path(settings.data).stem}-{settings.model}"
