"""Adaptive pooling is exported exactly, whatever its windows."""

import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.exporters.conversion.adaptive_pooling import ExactAdaptivePooling
from edgevision.exporters.conversion.onnx_conversion import convert_to_onnx


class Pools(nn.Module):
    """All that there is of it: as modules and functions, averages and maxima, oblong and with a side kept."""

    def __init__(self) -> None:
        super().__init__()
        self.average, self.maximum = nn.AdaptiveAvgPool2d((4, 3)), nn.AdaptiveMaxPool2d(5)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return (
            self.average(image).flatten(1),
            self.maximum(image).flatten(1),
            F.adaptive_avg_pool2d(image, (None, 2)),
            F.adaptive_avg_pool2d(image, 1),
            F.adaptive_avg_pool1d(image.flatten(2), 7),
            F.adaptive_max_pool1d(image.flatten(2), 7),
        )


@pytest.mark.parametrize("shape", [(1, 2, 9, 11), (2, 3, 8, 6), (1, 1, 3, 2)])
def test_window_by_window_it_is_the_same(shape: tuple[int, ...]) -> None:
    image = torch.rand(shape)
    with ExactAdaptivePooling():
        exact = Pools()(image)
    for found, expected in zip(exact, Pools()(image), strict=True):
        torch.testing.assert_close(found, expected)


def test_a_size_that_the_windows_do_not_divide_is_exported_with_its_sides_fixed() -> None:
    image = torch.rand(1, 3, 9, 11)
    names = [f"output_{number}" for number in range(6)]
    conversion = convert_to_onnx(Pools().eval(), (image,), input_names=["image"], output_names=names)
    assert conversion.dynamic == ("batch",)
    assert "pools any side to 4 places" in conversion.notes[0]
    session = onnxruntime.InferenceSession(conversion.model.SerializeToString())
    images = torch.rand(3, 3, 9, 11)
    for found, expected in zip(session.run(None, {"image": images.numpy()}), Pools()(images), strict=True):
        torch.testing.assert_close(torch.from_numpy(found), expected)
