"""The one table from a model's name on the command line and in a checkpoint to its network."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from edgevision.core.errors import InputError
from edgevision.models.cifar_resnet import resnet20, resnet32, resnet44, resnet56
from edgevision.models.color_net import ColorNet
from edgevision.models.conv_vae import ConvVae
from edgevision.models.csp_detector import CspDetector
from edgevision.models.curve_net import CurveNet
from edgevision.models.dcgan import DcganDiscriminator, DcganGenerator
from edgevision.models.frame_rnn import cnn_gru, cnn_lstm
from edgevision.models.hyperprior_codec import HyperpriorCodec
from edgevision.models.keypoint_net import KeypointNet
from edgevision.models.mlp_gan import MlpDiscriminator, MlpGenerator
from edgevision.models.mobile_net import MobileNet
from edgevision.models.mobile_vit import MobileVit
from edgevision.models.normalisation import in_groups
from edgevision.models.plain_cnn import cnn2, cnn3, cnn4
from edgevision.models.point_regressor import PointRegressor
from edgevision.models.pyramid_backbone import PyramidClassifier
from edgevision.models.pyramid_detector import PyramidDetector
from edgevision.models.residual_gan import ResidualDiscriminator, ResidualGenerator
from edgevision.models.restoration_unet import denoise_unet, inpaint_unet
from edgevision.models.row_lstm import RowLstm
from edgevision.models.segmentation_unet import SegmentationUNet
from edgevision.models.style_net import StyleNet
from edgevision.models.subpixel_cnn import SubPixelCnn
from edgevision.models.temporal_shift import TemporalShift
from edgevision.models.texture_gan import TextureDiscriminator, TextureGenerator
from edgevision.models.translation_unet import TranslationUNet
from edgevision.models.unet import UNet
from edgevision.models.vision_transformer import VisionTransformer

CLASSIFIERS: Mapping[str, Callable[..., nn.Module]] = {
    "cnn2": cnn2,
    "cnn3": cnn3,
    "cnn4": cnn4,
    "resnet20": resnet20,
    "resnet32": resnet32,
    "resnet44": resnet44,
    "resnet56": resnet56,
    "mobilenet": MobileNet,
    "mobilevit": MobileVit,
    "vit": VisionTransformer,
    "pyramid": PyramidClassifier,
    "row_lstm": RowLstm,
}

RESTORERS: Mapping[str, Callable[..., nn.Module]] = {
    "denoise_unet": denoise_unet,
    "inpaint_unet": inpaint_unet,
    "subpixel": SubPixelCnn,
    "curves": CurveNet,
    "color_net": ColorNet,
}

GENERATORS: Mapping[str, Callable[..., nn.Module]] = {
    "mlp_gan": MlpGenerator,
    "dcgan": DcganGenerator,
    "residual_gan": ResidualGenerator,
    "texture": TextureGenerator,
}

DISCRIMINATORS: Mapping[str, Callable[..., nn.Module]] = {
    "mlp_gan": MlpDiscriminator,
    "dcgan": DcganDiscriminator,
    "residual_gan": ResidualDiscriminator,
    "texture": TextureDiscriminator,
}
"""What each generator is trained against."""

TEXTURES = ("texture",)
"""Generators of any size, which learn from crops."""

STYLIZERS: Mapping[str, Callable[..., nn.Module]] = {"style_net": StyleNet}

TRANSLATORS: Mapping[str, Callable[..., nn.Module]] = {"translation_unet": TranslationUNet}

AUTOENCODERS: Mapping[str, Callable[..., nn.Module]] = {"conv_vae": ConvVae}

DETECTORS: Mapping[str, Callable[..., nn.Module]] = {"pyramid_detector": PyramidDetector, "csp_detector": CspDetector}

SEGMENTERS: Mapping[str, Callable[..., nn.Module]] = {"segmentation_unet": SegmentationUNet, "unet": UNet}

KEYPOINT_NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "keypoint_net": KeypointNet,
    "point_regressor": PointRegressor,
}

COMPRESSORS: Mapping[str, Callable[..., nn.Module]] = {"hyperprior": HyperpriorCodec}

SEQUENCE_NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "cnn_gru": cnn_gru,
    "cnn_lstm": cnn_lstm,
    "temporal_shift": TemporalShift,
}
"""What answers after every frame; all are of :class:`.sequence_network.SequenceNetwork`."""

MODELS: Mapping[str, Callable[..., nn.Module]] = {
    **CLASSIFIERS,
    **RESTORERS,
    **STYLIZERS,
    **TRANSLATORS,
    **GENERATORS,
    **AUTOENCODERS,
    **DETECTORS,
    **SEGMENTERS,
    **KEYPOINT_NETWORKS,
    **COMPRESSORS,
    **SEQUENCE_NETWORKS,
}


def build_model(name: str, *, group_norm: bool = False, **options: Any) -> nn.Module:
    """Make the network called ``name`` with random weights, with ``group_norm`` in place of batch normalisation.

    Raises:
        InputError: an unknown name (the known ones are listed), an option the network does not have, or a value of it
            that makes no network, as a negative number.
    """
    known = model_options(name)
    for option in options:
        if option not in known:
            raise InputError(f"the model {name} has no option {option!r}; it has {', '.join(known)}")
    try:
        network = MODELS[name](**options)
    except Exception as error:  # a size that is none, or too large, ends in almost anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"the model {name} cannot be built: {reason:.200}") from error
    for option, value in options.items():
        # Where something is counted, a negative number is taken for none by what counts.
        numbers = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(number, int | float) and number < 0 for number in numbers):
            usual = inspect.signature(MODELS[name]).parameters[option].default
            raise InputError(f"{option} of the model {name} must not be negative, not {value!r}; usual is {usual!r}")
    empty = next((layer for layer, weights in network.named_parameters() if not weights.numel()), None)
    if empty is not None:
        raise InputError(f"the model {name} cannot be built: by its options {empty} has no numbers")
    return in_groups(network) if group_norm else network


def model_options(name: str) -> tuple[str, ...]:
    """The names of the options that :func:`build_model` takes for ``name``; :class:`InputError` where it is unknown."""
    if name not in MODELS:
        raise InputError(f"there is no model {name!r}; known: {', '.join(MODELS)}")
    signature = inspect.signature(MODELS[name])
    fixed = getattr(MODELS[name], "keywords", {})
    return tuple(option for option in signature.parameters if option not in fixed)
