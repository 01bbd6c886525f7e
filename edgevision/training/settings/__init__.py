"""The settings of each kind of training, validated; nothing here needs torch, so ``--help`` does not either."""

from edgevision.training.settings.classification import Augmentation, Balance, ClassifierSettings, LabelledSettings, Mix
from edgevision.training.settings.compression import CompressionSettings
from edgevision.training.settings.detection import DetectionSettings
from edgevision.training.settings.generation import (
    DiffAugment,
    GanLoss,
    GanSettings,
    GenerativeSettings,
    VaeSettings,
)
from edgevision.training.settings.keypoints import KeypointSettings
from edgevision.training.settings.photographs import PhotoSettings
from edgevision.training.settings.restoration import (
    RESTORATION_DEFAULTS,
    LossTerm,
    RestorationSettings,
)
from edgevision.training.settings.segmentation import ClassWeights, SegmentationSettings
from edgevision.training.settings.sequences import SequenceSettings
from edgevision.training.settings.stylization import StyleSettings
from edgevision.training.settings.training import (
    DIGITS,
    MOVING_DIGITS,
    MixedPrecision,
    Optimizer,
    TrainingSettings,
)
from edgevision.training.settings.translation import TranslationSettings

__all__ = [
    "DIGITS",
    "MOVING_DIGITS",
    "RESTORATION_DEFAULTS",
    "Augmentation",
    "Balance",
    "ClassWeights",
    "ClassifierSettings",
    "CompressionSettings",
    "DetectionSettings",
    "DiffAugment",
    "GanLoss",
    "GanSettings",
    "GenerativeSettings",
    "KeypointSettings",
    "LabelledSettings",
    "LossTerm",
    "Mix",
    "MixedPrecision",
    "Optimizer",
    "PhotoSettings",
    "RestorationSettings",
    "SegmentationSettings",
    "SequenceSettings",
    "StyleSettings",
    "TrainingSettings",
    "TranslationSettings",
    "VaeSettings",
]
