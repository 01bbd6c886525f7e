"""The models that ship with the package, by name, and what else may stand for a model file."""

import os
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.core.printable import shortened
from edgevision.modelfiles.model_references import is_reference, library_reference, local_file
from edgevision.modelfiles.signature_policy import verify_where_required

_ASSETS = Path(__file__).parent / "assets"


def resolve_model(model: str | os.PathLike[str]) -> Path:
    """The file that a user means by ``model``: one that exists, else the shipped model of that name.

    Where models have to be signed (:mod:`edgevision.modelfiles.signature_policy`), the file is one that is.

    A reference to one on the web, as ``hf:org/repo/model.onnx@rev``, is fetched once, see
    :mod:`edgevision.modelfiles.model_references`. A folder stands for itself where no model has its name. What is no
    bare name, as ``models/new.onnx``, is returned as it is: who opens it says what is wrong with it.

    Raises:
        InputError: a bare name that is neither; the models that ship are listed. Or a reference that leads nowhere.
        SignatureError: it has to be signed and is not, or has changed since.
    """
    path = _found(model)
    if path.is_file():
        verify_where_required(path)
    return path


def _found(model: str | os.PathLike[str]) -> Path:
    if is_reference(model):
        return local_file(model)
    library = library_reference(model)
    if library is not None:
        raise InputError(
            f"{shortened(library.given)} is a network of {library.library}, not a model file; edgevision export"
            f" {library.given} makes one of it"
        )
    path = Path(model)
    if path.suffix or not path.name or len(path.parts) != 1 or path.is_file():
        return path
    names = shipped_names()
    if path.name in names:
        return _shipped(path.name)
    if path.is_dir():
        return path
    from difflib import get_close_matches

    from edgevision.modelfiles.composition_registry import COMPOSITIONS

    if path.name in COMPOSITIONS:
        raise InputError(
            f"{path.name} is no model, but made of several: edgevision run {path.name} and edgevision serve do it, and"
            " a page of edgevision web, which opens one model at a time, does not"
        )
    similar = [name for name in names if path.name in name.split("_")] or get_close_matches(path.name, names, n=1)
    hint = f"; did you mean {similar[0]!r}?" if similar else ""
    raise InputError(
        f"there is no file {shortened(path.name)}, and no model of that name ships; these do: {', '.join(names)}{hint}"
    )


def shipped_names() -> list[str]:
    """What may be given in place of a model file, as ``upscale_x4``."""
    return sorted(path.stem for path in _ASSETS.glob("*.onnx"))


def shipped_model(task: str, scale: int | None = None) -> Path:
    """The model that ships for ``task``; :class:`InputError` where none does.

    For upscaling there is one for each ``scale``, and twice is the default.
    """
    path = _shipped(task if scale in (None, 2) else f"{task}_x{scale}")
    without_scales = scale is not None and not any(_ASSETS.glob(f"{task}_x*.onnx"))
    if without_scales or not path.is_file():
        what = task if scale is None else f"{task} by {scale}"
        raise InputError(f"no model ships for {what}; name one with --model")
    return path


def shipped_feature_classifier() -> Path:
    """The classifier in whose features generated pictures are judged, of the ten classes of CIFAR-10."""
    return _shipped("features")


def _shipped(name: str) -> Path:
    return _ASSETS / f"{name}.onnx"
