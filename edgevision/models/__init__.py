"""The networks of the project, in PyTorch. Each builder takes keywords only and has a default for every one."""

from edgevision.models.cifar_resnet import CifarResNet, resnet20, resnet32, resnet44, resnet56
from edgevision.models.mobile_net import MobileNet
from edgevision.models.plain_cnn import PlainCnn, cnn2, cnn3, cnn4
from edgevision.models.registry import CLASSIFIERS, build_model, model_options

__all__ = [
    "CLASSIFIERS",
    "CifarResNet",
    "MobileNet",
    "PlainCnn",
    "build_model",
    "cnn2",
    "cnn3",
    "cnn4",
    "model_options",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
]
