"""The one table from a kind of training to its settings, its data and the function that carries it out."""

from collections.abc import Mapping
from typing import NamedTuple


class Training(NamedTuple):
    """What a kind of training is made of, each as ``"module:object"``, imported when it is needed.

    Attributes:
        settings: a :class:`~edgevision.training.settings.TrainingSettings`.
        check_data: a function of the settings that refuses data they could not be used with, without torch.
        train: a function of the settings and a folder that gives the checkpoint's path; it imports torch.
    """

    settings: str
    check_data: str
    train: str


_DATA = "edgevision.training.data_source"
_RESTORATION = Training(
    "edgevision.training.settings:RestorationSettings",
    f"{_DATA}:check_photos",
    "edgevision.training.restore:train_restorer",
)

TRAININGS: Mapping[str, Training] = {
    "classify": Training(
        "edgevision.training.settings:ClassifierSettings",
        f"{_DATA}:check_pictures",
        "edgevision.training.classify:train_classifier",
    ),
    "sequence": Training(
        "edgevision.training.settings:SequenceSettings",
        f"{_DATA}:check_clips",
        "edgevision.training.sequence:train_sequence",
    ),
    "gan": Training(
        "edgevision.training.settings:GanSettings", f"{_DATA}:check_pictures", "edgevision.training.gan:train_gan"
    ),
    "vae": Training(
        "edgevision.training.settings:VaeSettings", f"{_DATA}:check_pictures", "edgevision.training.vae:train_vae"
    ),
    "detect": Training(
        "edgevision.training.settings:DetectionSettings",
        f"{_DATA}:check_boxes",
        "edgevision.training.detect:train_detector",
    ),
    "segment": Training(
        "edgevision.training.settings:SegmentationSettings",
        f"{_DATA}:check_masks",
        "edgevision.training.segment:train_segmenter",
    ),
    "keypoints": Training(
        "edgevision.training.settings:KeypointSettings",
        f"{_DATA}:check_points",
        "edgevision.training.keypoints:train_keypoints",
    ),
    "compress": Training(
        "edgevision.training.settings:CompressionSettings",
        f"{_DATA}:check_photos",
        "edgevision.training.compress:train_compressor",
    ),
    "inpaint": _RESTORATION,
    "denoise": _RESTORATION,
    "upscale": _RESTORATION,
    "brighten": _RESTORATION,
    "colorize": _RESTORATION,
    "stylize": Training(
        "edgevision.training.settings:StyleSettings",
        f"{_DATA}:check_photos",
        "edgevision.training.stylize:train_stylizer",
    ),
    "translate": Training(
        "edgevision.training.settings:TranslationSettings",
        f"{_DATA}:check_pairs",
        "edgevision.training.translate:train_translator",
    ),
}
