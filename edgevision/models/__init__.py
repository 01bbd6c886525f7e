"""The networks of the project, in PyTorch. Each builder takes keywords only and has a default for every one."""

from edgevision.models.cifar_resnet import CifarResNet, CifarResNetFeatures, resnet20, resnet32, resnet44, resnet56
from edgevision.models.color_net import ColorNet
from edgevision.models.conv_vae import ConvVae
from edgevision.models.csp_detector import CspDetector
from edgevision.models.curve_net import CurveNet, apply_curves
from edgevision.models.dcgan import DcganDiscriminator, DcganGenerator
from edgevision.models.dncnn import DnCnn
from edgevision.models.frame_rnn import FrameRnn, cnn_gru, cnn_lstm
from edgevision.models.fsrcnn import Fsrcnn
from edgevision.models.hyperprior_codec import CompressingHalf, DecompressingHalf, HyperpriorCodec
from edgevision.models.iat import Iat
from edgevision.models.keypoint_net import KeypointNet
from edgevision.models.mlp_gan import MlpDiscriminator, MlpGenerator
from edgevision.models.mobile_net import MobileNet
from edgevision.models.mobile_vit import MobileVit
from edgevision.models.plain_cnn import PlainCnn, cnn2, cnn3, cnn4
from edgevision.models.point_regressor import PointRegressor
from edgevision.models.pyramid_backbone import PyramidClassifier
from edgevision.models.pyramid_detector import PyramidDetector
from edgevision.models.registry import (
    AUTOENCODERS,
    CLASSIFIERS,
    COMPRESSORS,
    DETECTORS,
    DISCRIMINATORS,
    GENERATORS,
    KEYPOINT_NETWORKS,
    MODELS,
    RESTORERS,
    SEGMENTERS,
    SEQUENCE_NETWORKS,
    STYLIZERS,
    TEXTURES,
    TRANSLATORS,
    build_model,
    model_options,
)
from edgevision.models.residual_gan import ResidualDiscriminator, ResidualGenerator
from edgevision.models.restoration_unet import RestorationUNet, denoise_unet, inpaint_unet
from edgevision.models.row_lstm import RowLstm
from edgevision.models.segmentation_unet import SegmentationUNet
from edgevision.models.sequence_network import SequenceNetwork, StreamedSequence
from edgevision.models.style_net import StyleNet
from edgevision.models.subpixel_cnn import SubPixelCnn
from edgevision.models.temporal_shift import TemporalShift
from edgevision.models.texture_gan import TextureDiscriminator, TextureGenerator
from edgevision.models.translation_unet import TranslationUNet
from edgevision.models.unet import UNet
from edgevision.models.vision_transformer import VisionTransformer

__all__ = [
    "AUTOENCODERS",
    "CLASSIFIERS",
    "COMPRESSORS",
    "DETECTORS",
    "DISCRIMINATORS",
    "GENERATORS",
    "KEYPOINT_NETWORKS",
    "MODELS",
    "RESTORERS",
    "SEGMENTERS",
    "SEQUENCE_NETWORKS",
    "STYLIZERS",
    "TEXTURES",
    "TRANSLATORS",
    "CifarResNet",
    "CifarResNetFeatures",
    "ColorNet",
    "CompressingHalf",
    "ConvVae",
    "CspDetector",
    "CurveNet",
    "DcganDiscriminator",
    "DcganGenerator",
    "DecompressingHalf",
    "DnCnn",
    "FrameRnn",
    "Fsrcnn",
    "HyperpriorCodec",
    "Iat",
    "KeypointNet",
    "MlpDiscriminator",
    "MlpGenerator",
    "MobileNet",
    "MobileVit",
    "PlainCnn",
    "PointRegressor",
    "PyramidClassifier",
    "PyramidDetector",
    "ResidualDiscriminator",
    "ResidualGenerator",
    "RestorationUNet",
    "RowLstm",
    "SegmentationUNet",
    "SequenceNetwork",
    "StreamedSequence",
    "StyleNet",
    "SubPixelCnn",
    "TemporalShift",
    "TextureDiscriminator",
    "TextureGenerator",
    "TranslationUNet",
    "UNet",
    "VisionTransformer",
    "apply_curves",
    "build_model",
    "cnn2",
    "cnn3",
    "cnn4",
    "cnn_gru",
    "cnn_lstm",
    "denoise_unet",
    "inpaint_unet",
    "model_options",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
]
