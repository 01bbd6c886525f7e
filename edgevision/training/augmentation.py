"""Random changes to training pictures that keep their class, on whole batches, with kornia."""

from collections.abc import Sequence

import kornia.augmentation as K
from torch import nn

from edgevision.training.settings import Augmentation


def build_augmentation(kinds: Sequence[Augmentation], size: tuple[int, int], channels: int) -> nn.Module:
    """A module from images float32 (N, channels, height, width) in 0..1, ``size`` high and wide, to the same."""
    height, width = size
    steps: list[nn.Module] = []
    if Augmentation.FLIP in kinds:
        steps.append(K.RandomHorizontalFlip(p=0.5))
    if Augmentation.SHIFT in kinds:  # by whole pixels: interpolation would blur small pictures
        steps.append(K.RandomCrop(size, padding=(width // 8, height // 8), padding_mode="reflect"))
    if {Augmentation.ROTATE, Augmentation.SCALE} & set(kinds):
        steps.append(
            K.RandomAffine(
                degrees=15.0 if Augmentation.ROTATE in kinds else 0.0,
                scale=(0.85, 1.15) if Augmentation.SCALE in kinds else None,
                padding_mode="reflection",
                p=1.0,
            )
        )
    if Augmentation.COLOUR in kinds and channels == 1:
        steps += [K.RandomBrightness((0.8, 1.2), p=1.0), K.RandomContrast((0.8, 1.2), p=1.0)]
    elif Augmentation.COLOUR in kinds:
        steps.append(K.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05, p=1.0))
    if Augmentation.ERASE in kinds:
        steps.append(K.RandomErasing(p=0.25))
    return nn.Sequential(*steps)
