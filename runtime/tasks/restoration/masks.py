"""Which mask belongs to which picture."""

from collections.abc import Callable
from pathlib import Path

from edgevision.core.errors import ImageError, InputError
from edgevision.runtime.files.inputs import PictureInput, expand_inputs


def match_masks(word: str) -> Callable[[PictureInput], Path | bytes]:
    """The mask for each picture: the one file, or from a folder the one at the same place, or of the same stem.

    The function raises :class:`ImageError` for a picture that has none, or several of its stem at other places.

    Raises:
        InputError: the folder holds no pictures.
    """
    masks = expand_inputs([word])
    if len(masks) == 1 and not Path(word).is_dir():
        return lambda picture: masks[0].source
    places = {mask.relative.with_suffix(""): mask for mask in masks}
    stems: dict[str, list[PictureInput]] = {}
    for mask in masks:
        stems.setdefault(mask.relative.stem, []).append(mask)

    def find(picture: PictureInput) -> Path | bytes:
        here = places.get(picture.relative.with_suffix(""))
        if here is not None:
            return here.source
        candidates = stems.get(picture.relative.stem, [])
        if len(candidates) == 1:
            return candidates[0].source
        problem = "no mask" if not candidates else f"{len(candidates)} masks"
        raise ImageError(f"{picture.name}: {word!r} holds {problem} of that name")

    return find


def split_words(words: list[str], *, from_alpha: bool) -> tuple[list[str], str | None]:
    """Pictures and the mask, which is the last word, among the arguments of inpainting."""
    if from_alpha:
        return words, None
    if len(words) < 2:
        raise InputError(
            "inpainting takes pictures and then the mask, as in photo.jpg mask.png; --mask-from-alpha takes the mask"
            " from the picture's transparency"
        )
    return words[:-1], words[-1]
