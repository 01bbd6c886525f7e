"""What the metadata of a restoration model says of its network, found out from the network itself."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.core.errors import InputError
from edgevision.exporters.conversion.onnx_conversion import Conversion, convert_to_onnx
from edgevision.exporters.network_facts.network import Network
from edgevision.exporters.network_facts.restoration import describe_restoration
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec

IMAGE = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
MASK = torch.zeros(1, 1, 16, 16)
MASK[..., 4:8, 4:8] = 1


class Clamp(nn.Module):
    def __init__(self, low: float | None, high: float | None) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, image: Tensor) -> Tensor:
        return image.clamp(self.low, self.high)


class Whole(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image - image.mean((2, 3), keepdim=True)


class Enlarge(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, image: Tensor) -> Tensor:
        return F.interpolate(image, scale_factor=self.factor)


class Stretch(nn.Module):
    """Twice as high, three times as wide."""

    def forward(self, image: Tensor) -> Tensor:
        return image.repeat(1, 1, 2, 3)


class Fill(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return self.layer(torch.cat((image, mask), dim=1))


def convolution(channels: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Conv2d(3, channels, 3, padding=1)


def pixel_shuffle(scale: int) -> nn.Module:
    return nn.Sequential(convolution(3 * scale**2), nn.PixelShuffle(scale))


def facts(network: nn.Module, conversion: Conversion, examples: tuple[Tensor, ...]) -> Network:
    def unopened() -> Engine:
        raise AssertionError("what a network restores is found out from itself")

    return Network(
        conversion=conversion,
        shape=tuple(examples[0].shape[1:]),
        examples=examples,
        reference=unopened,
        module=network,
        described=False,
        seed=0,
    )


def described(
    network: nn.Module,
    task: str = "denoise",
    *,
    restoration: RestorationSpec | None = None,
    tile: TileSpec | None = None,
    examples: tuple[Tensor, ...] = (IMAGE,),
) -> ModelMetadata:
    network.eval()
    multiple = tile.multiple if tile else 1
    conversion = convert_to_onnx(
        network,
        examples,
        input_names=["image", "mask"][: len(examples)],
        output_names=["restored"],
        multiple=multiple,
    )
    metadata = ModelMetadata(
        task=task,
        name="tiny",
        inputs=conversion.inputs,
        outputs=conversion.outputs,
        image=ImageSpec(),
        spec=restoration or RestorationSpec(),
        tile=tile,
    )
    return describe_restoration(metadata, facts(network, conversion, examples))


# --- scale ---


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_scale_is_found(scale: int) -> None:
    metadata = described(pixel_shuffle(scale), "upscale")
    assert metadata.spec == RestorationSpec(scale=scale)


def test_what_else_is_known_of_the_restoration_is_kept() -> None:
    spec = RestorationSpec(output_range=(-1, 1), extra={"source": "a paper"})
    assert described(convolution(), restoration=spec).spec == spec


@pytest.mark.parametrize("task", ["denoise", "brighten"])
def test_a_network_that_enlarges_is_for_upscaling_only(task: str) -> None:
    with pytest.raises(InputError, match=f"enlarges 2 times, which is --task upscale, not {task}"):
        described(pixel_shuffle(2), task)


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (convolution(4), "(1, 4, 16, 16)"),
        (convolution(1), "(1, 1, 16, 16)"),
        (nn.Conv2d(3, 3, 3), "(1, 3, 14, 14)"),
        (nn.Conv2d(3, 3, 2, 2), "(1, 3, 8, 8)"),
        (Enlarge(1.5), "(1, 3, 24, 24)"),
        (Stretch(), "(1, 3, 32, 48)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(768, 3)), "(1, 3)"),
    ],
    ids=["more channels", "fewer channels", "cropped", "half", "one and a half", "stretched", "a vector"],
)
def test_an_output_that_is_no_whole_multiple_of_the_picture_is_refused(network: nn.Module, shape: str) -> None:
    with pytest.raises(InputError) as e:
        described(network, "upscale")
    assert str(e.value) == (
        "a restoration network turns (1, 3, 16, 16) into as many channels and whole multiples of the sides,"
        f" not into {shape}"
    )


def test_noise_of_an_enlarged_picture_is_refused() -> None:
    with pytest.raises(InputError, match="noise"):
        described(pixel_shuffle(2), "upscale", restoration=RestorationSpec(predicts=Prediction.NOISE))


def test_a_stated_scale_that_is_not_the_networks_is_refused() -> None:
    with pytest.raises(InputError, match="scale"):
        described(pixel_shuffle(2), "upscale", restoration=RestorationSpec(scale=4))


# --- range ---


@pytest.mark.parametrize(
    ("last", "found"),
    [
        (Clamp(0, 1), (0, 1)),
        (Clamp(-1, 1), (-1, 1)),
        (nn.Hardtanh(), (-1, 1)),
        (nn.Sigmoid(), (0, 1)),
        (nn.Tanh(), (-1, 1)),
        (Clamp(0, None), None),
        (Clamp(None, 1), None),
        (nn.ReLU(), None),
        (nn.Identity(), None),
    ],
    ids=["clamp", "signed clamp", "hardtanh", "sigmoid", "tanh", "below", "above", "relu", "none"],
)
def test_a_range_that_the_last_layer_keeps_is_noticed(last: nn.Module, found: tuple[float, float] | None) -> None:
    metadata = described(nn.Sequential(convolution(), last))
    assert metadata.outputs[0].value_range == found


def test_an_activation_in_the_middle_says_nothing_of_the_output() -> None:
    metadata = described(nn.Sequential(convolution(), nn.Sigmoid(), convolution()))
    assert metadata.outputs[0].value_range is None


def test_the_range_of_noise_is_not_that_of_a_picture() -> None:
    noise = RestorationSpec(predicts=Prediction.NOISE)
    metadata = described(nn.Sequential(convolution(), nn.Tanh()), restoration=noise)
    assert metadata.outputs[0].value_range is None


def test_a_stated_range_is_kept() -> None:
    network = nn.Sequential(convolution(), nn.Sigmoid()).eval()
    conversion = convert_to_onnx(network, (IMAGE,), input_names=["image"], output_names=["restored"])
    outputs = (TensorSpec(name="restored", shape=("batch", 3, "height", "width"), value_range=(0.25, 0.75)),)
    metadata = ModelMetadata(task="denoise", name="tiny", outputs=outputs, image=ImageSpec())
    assert describe_restoration(metadata, facts(network, conversion, (IMAGE,))).outputs == outputs


# --- tiles ---


def test_overlap_and_memory_of_tiles_are_filled_in() -> None:
    tile = described(convolution()).tile
    # One pixel of reach, in steps of 8; three channels of float32 in and three out.
    assert tile == TileSpec(overlap=8, memory=24)


def test_the_overlap_is_a_multiple_of_the_networks_own() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.PixelUnshuffle(12), nn.Conv2d(432, 432, 3, padding=1), nn.PixelShuffle(12))
    with torch.no_grad():
        network[1].weight.mul_(4)
    image = IMAGE.repeat(1, 1, 2, 2)[..., :24, :24]
    tile = described(network, tile=TileSpec(size=240, multiple=12), examples=(image,)).tile
    assert tile is not None
    # A neighbouring square of 12 pixels counts whole.
    assert (tile.size, tile.multiple, tile.overlap) == (240, 12, 24)


def test_a_network_that_looks_everywhere_has_no_overlap() -> None:
    tile = described(Whole(), "brighten").tile
    assert tile is not None
    assert tile.overlap is None
    assert tile.memory is not None


def test_a_stated_overlap_is_kept() -> None:
    tile = described(Whole(), "brighten", tile=TileSpec(overlap=40)).tile
    assert tile is not None
    assert tile.overlap == 40


def test_a_network_for_one_size_has_no_measured_overlap() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, 768), nn.Unflatten(1, (3, 16, 16)))
    tile = described(network).tile
    assert tile is not None
    assert tile.overlap is None


def test_a_network_with_a_mask_is_described_too() -> None:
    torch.manual_seed(0)
    metadata = described(Fill(), "inpaint", examples=(IMAGE, MASK))
    # Image, mask, and both of them joined.
    assert metadata.tile == TileSpec(overlap=8, memory=32)
    assert metadata.spec == RestorationSpec(scale=1)


def test_the_network_that_is_measured_stays_as_it_was() -> None:
    network = convolution()
    weights = copy.deepcopy(network.state_dict())
    described(network)
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in weights.items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_curves_are_left_as_they_are() -> None:
    network = nn.Conv2d(3, 6, 8, 8)
    metadata = described(network, "brighten", restoration=RestorationSpec(predicts=Prediction.CURVES))
    assert metadata.spec == RestorationSpec(predicts=Prediction.CURVES)
    assert metadata.tile is None
