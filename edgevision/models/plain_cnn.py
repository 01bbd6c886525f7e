"""The plain convolutional classifiers that tutorials teach: stacked conv-pool blocks and a dense head."""

from functools import partial

from torch import Tensor, nn


class PlainCnn(nn.Module):
    """Convolution, ReLU and 2x2 max-pooling repeated, then fully connected layers.

    Input (N, in_channels, image_size, image_size) float32, output logits (N, num_classes). The dense head fixes the
    picture's size.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...],
        kernel_size: int,
        padding: int,
        head: tuple[int, ...],
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        features: list[nn.Module] = []
        channels, side = in_channels, image_size
        for width in widths:
            features += [nn.Conv2d(channels, width, kernel_size, padding=padding), nn.ReLU(), nn.MaxPool2d(2)]
            channels, side = width, (side + 2 * padding - kernel_size + 1) // 2
        if side < 1:
            raise ValueError(f"image_size must leave a pixel after {len(widths)} poolings, {image_size} does not")
        self.features = nn.Sequential(*features)
        classifier: list[nn.Module] = [nn.Flatten()]
        size = channels * side * side
        for width in head:
            classifier += [nn.Linear(size, width), nn.ReLU()]
            if dropout:
                classifier.append(nn.Dropout(dropout))
            size = width
        self.classifier = nn.Sequential(*classifier, nn.Linear(size, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits


cnn2 = partial(PlainCnn, widths=(6, 16), kernel_size=5, padding=0, head=(120, 84))
"""conv-pool-conv-pool-fc for 32x32, the shape of LeNet-5 (LeCun et al. 1998) with 6 and 16 maps of 5x5."""

cnn3 = partial(PlainCnn, widths=(32, 64, 128), kernel_size=3, padding=1, head=(128,))
"""Three blocks of 3x3 and one dense layer, for 28x28 and 32x32."""

cnn4 = partial(PlainCnn, widths=(32, 64, 128, 128), kernel_size=3, padding=1, head=(512,))
"""Four blocks of 3x3 and a dense layer of 512, up to 224x224."""
