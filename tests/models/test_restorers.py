"""The restoration networks: what they compute before any training, and the names of published weights."""

import pytest
import torch
from torch import Tensor, nn

from edgevision.core.errors import InputError
from edgevision.models import (
    RESTORERS,
    ColorNet,
    CurveNet,
    DnCnn,
    Fsrcnn,
    Iat,
    RestorationUNet,
    SubPixelCnn,
    apply_curves,
    build_model,
    denoise_unet,
    inpaint_unet,
)

TINY = {"widths": (4, 6), "blocks": (1, 1)}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def run(network: nn.Module, *inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        answer: Tensor = network.eval()(*inputs)
    return answer


def scrambled(network: nn.Module) -> nn.Module:
    """Random weights where training starts from zeros."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("name", RESTORERS)
def test_every_restorer_builds_with_its_defaults_and_lists_its_options(name: str) -> None:
    assert weights(build_model(name)) > 10_000
    with pytest.raises(InputError, match=f"the model {name} has no option 'num_classes'"):
        build_model(name, num_classes=3)


@pytest.mark.parametrize("name", RESTORERS)
def test_the_gradient_reaches_every_weight(name: str) -> None:
    network = scrambled(build_model(name))
    images = [torch.rand(2, 1 if name in ("subpixel", "color_net") else 3, 32, 32)]
    if name == "inpaint_unet":
        images.append((torch.rand(2, 1, 32, 32) > 0.5).float())
    network(*images).square().sum().backward()
    for parameter, tensor in network.named_parameters():
        assert tensor.grad is not None, parameter
        assert tensor.grad.abs().sum() > 0, parameter


@pytest.mark.parametrize(("build", "millions"), [(denoise_unet, 0.73), (inpaint_unet, 0.7)])
def test_the_unets_are_as_large_as_they_say(build, millions: float) -> None:
    assert weights(build()) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize("shuffle", [1, 2])
@pytest.mark.parametrize("mask_input", [False, True])
def test_an_untrained_unet_returns_its_input(shuffle: int, mask_input: bool) -> None:
    network = RestorationUNet(**TINY, shuffle=shuffle, mask_input=mask_input)
    image = torch.rand(2, 3, 24, 16)
    mask = [(torch.rand(2, 1, 24, 16) > 0.5).float()] if mask_input else []
    assert torch.equal(run(network, image, *mask), image)


@pytest.mark.parametrize(("widths", "shuffle"), [((4,), 1), ((4,), 2), ((4, 6), 2), ((4, 6, 8), 1), ((4, 6, 8), 2)])
def test_sides_that_are_multiples_work_and_keep_their_size(widths: tuple[int, ...], shuffle: int) -> None:
    network = scrambled(RestorationUNet(widths=widths, blocks=(1,) * len(widths), shuffle=shuffle))
    assert network.multiple == shuffle * 2 ** (len(widths) - 1)
    for rows, columns in ((1, 1), (1, 3), (4, 2)):
        image = torch.rand(1, 3, rows * network.multiple, columns * network.multiple)
        restored = run(network, image)
        assert restored.shape == image.shape
        assert not torch.equal(restored, image)


@pytest.mark.parametrize("build", [denoise_unet, inpaint_unet])
def test_sides_that_are_no_multiple_do_not(build) -> None:
    network = build()
    side = network.multiple * 3 + network.multiple // 2
    inputs = [torch.rand(1, 3, side, side), *([torch.zeros(1, 1, side, side)] if network.mask_input else [])]
    with pytest.raises(RuntimeError):
        run(network, *inputs)


def test_the_mask_changes_what_an_inpainting_network_answers() -> None:
    network = scrambled(RestorationUNet(**TINY, shuffle=1, mask_input=True))
    image = torch.rand(1, 3, 16, 16)
    mask = torch.zeros(1, 1, 16, 16)
    other = mask.clone()
    other[:, :, 4:9, 4:9] = 1
    assert not torch.equal(run(network, image, mask), run(network, image, other))


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    network = scrambled(RestorationUNet(**TINY))
    images = torch.rand(3, 3, 16, 16)
    torch.testing.assert_close(run(network, images)[1:2], run(network, images[1:2]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("widths", "blocks"), [((), ()), ((4, 6), (1,)), ((4,), (1, 1))])
def test_widths_and_blocks_must_be_equally_long(widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="widths and blocks must be equally long"):
        RestorationUNet(widths=widths, blocks=blocks)


def test_the_colours_to_choose_from_are_those_of_srgb() -> None:
    colors = ColorNet().colors
    assert 80 < len(colors) < 160
    assert [0.0, 0.0] in colors.tolist()
    assert colors.abs().max() <= 112


def test_the_lower_the_temperature_the_more_the_likeliest_colour_counts() -> None:
    torch.manual_seed(1)
    sharp, dull = ColorNet(**TINY, temperature=0.01), ColorNet(**TINY, temperature=1)
    dull.load_state_dict(sharp.state_dict())
    image = torch.rand(1, 1, 16, 24)
    best = sharp.colors[sharp.logits(image).argmax(dim=1)[0, 3, 4]]
    assert run(sharp, image).shape == (1, 2, 8, 12)
    assert (run(sharp, image)[0, :, 3, 4] - best).norm() < (run(dull, image)[0, :, 3, 4] - best).norm()
    with pytest.raises(ValueError, match="temperature must lie in"):
        ColorNet(temperature=0)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_untrained_subpixel_network_repeats_each_pixel(scale: int, channels: int) -> None:
    image = torch.rand(2, channels, 5, 7)
    network = SubPixelCnn(scale=scale, channels=channels, width=8, depth=3)
    enlarged = run(network, image)
    assert torch.equal(enlarged, image.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3))
    assert run(scrambled(network), image).shape == (2, channels, scale * 5, scale * 7)


@pytest.mark.parametrize("changes", [{"scale": 1}, {"depth": 1}])
def test_a_subpixel_network_that_cannot_be_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(InputError, match="subpixel cannot be built: scale and depth must be at least 2"):
        build_model("subpixel", **changes)


@pytest.mark.parametrize("iterations", [1, 8])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (64, 48)])
def test_curves_are_an_eighth_as_large_and_lie_in_minus_1_to_1(iterations: int, height: int, width: int) -> None:
    curves = run(scrambled(CurveNet(iterations=iterations, width=8)), torch.rand(2, 3, height, width))
    assert curves.shape == (2, 3 * iterations, height // 8, width // 8)
    assert curves.abs().max() <= 1
    assert curves.abs().max() > 0


def test_curves_of_zero_change_nothing() -> None:
    image = torch.rand(2, 3, 20, 30)
    assert torch.equal(apply_curves(image, torch.zeros(2, 24, 3, 4)), image)


def test_positive_curves_brighten_and_negative_ones_darken() -> None:
    image = torch.rand(1, 3, 20, 30).clamp(0.01, 0.99)
    curves = torch.rand(1, 24, 3, 4).clamp(min=0.05)
    assert (apply_curves(image, curves) > image).all()
    assert (apply_curves(image, -curves) < image).all()


def test_curves_keep_pictures_within_their_range() -> None:
    image = torch.rand(4, 3, 20, 30)
    image[0], image[1] = 0, 1
    for curves in (2 * torch.rand(4, 24, 3, 4) - 1, torch.ones(4, 24, 3, 4), -torch.ones(4, 24, 3, 4)):
        changed = apply_curves(image, curves)
        assert changed.min() >= -1e-6
        assert changed.max() <= 1 + 1e-6
        assert (changed[0] == 0).all()
        assert (changed[1] == 1).all()


def test_curves_are_applied_one_after_the_other_to_each_colour() -> None:
    """Guo et al. 2020, equation 2, by hand."""
    image = torch.rand(1, 3, 4, 4)
    curves = 2 * torch.rand(1, 6, 1, 1) - 1
    expected = image.clone()
    for iteration in range(2):
        for channel in range(3):
            a, x = curves[0, 3 * iteration + channel, 0, 0], expected[:, channel].clone()
            expected[:, channel] = x + a * x * (1 - x)
    torch.testing.assert_close(apply_curves(image, curves), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_dncnn_predicts_noise_of_the_pictures_shape(channels: int) -> None:
    image = torch.rand(2, channels, 9, 13)
    assert run(DnCnn(channels=channels, depth=4, width=8), image).shape == image.shape


def test_dncnn_has_the_names_and_the_size_that_are_published() -> None:
    network = DnCnn()
    names = list(network.state_dict())
    assert names[:2] == ["dncnn.0.weight", "dncnn.2.weight"]
    assert names[2:7] == [
        f"dncnn.3.{n}" for n in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    ]
    assert names[-1] == "dncnn.47.weight"
    assert sum(isinstance(module, nn.Conv2d) for module in network.modules()) == 17  # Zhang et al. 2017, section III-A


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_fsrcnn_enlarges_and_stays_in_range(scale: int) -> None:
    enlarged = run(Fsrcnn(scale=scale), torch.rand(2, 3, 6, 9))
    assert enlarged.shape == (2, 3, 6 * scale, 9 * scale)
    assert enlarged.min() >= 0
    assert enlarged.max() <= 1


def test_fsrcnn_has_the_names_that_are_published() -> None:
    modules = {name.partition(".")[0] for name in Fsrcnn().state_dict()}
    numbered = {f"map_{i}" for i in range(1, 5)} | {f"activation_{i}" for i in range(1, 5)}
    assert modules == {"feature_extract", "shrink", "expand", "deconv"} | numbered


@pytest.mark.parametrize(("height", "width"), [(16, 16), (21, 34)])
def test_iat_keeps_the_size_and_answers_in_0_to_1(height: int, width: int) -> None:
    network = Iat(width=8, global_width=16, heads=2)
    adjusted = run(network, 2 * torch.rand(2, 3, height, width) - 1)
    assert adjusted.shape == (2, 3, height, width)
    assert adjusted.min() >= 0
    assert adjusted.max() <= 1


def test_iat_has_the_names_and_the_size_that_are_published() -> None:
    network = Iat()
    names = network.state_dict().keys()
    for name in (
        "local_net.conv1.weight",
        "local_net.mul_blocks.0.pos_embed.weight",
        "local_net.add_blocks.2.norm1.color",
        "local_net.mul_end.0.bias",
        "global_net.gamma_base",
        "global_net.color_base",
        "global_net.conv_large.proj.0.weight",
        "global_net.generator.attn.q",
        "global_net.color_linear.weight",
    ):
        assert name in names, name
    assert weights(network) / 1e6 == pytest.approx(0.09, abs=0.01)  # Cui et al. 2022, abstract


def test_every_pixel_of_iat_depends_on_all_others() -> None:
    network = scrambled(Iat(width=8, global_width=16, heads=2))
    image = 0.4 * torch.rand(1, 3, 32, 32) - 0.2
    other = image.clone()
    other[:, :, :4, :4] += 0.3
    far = (run(network, image) - run(network, other))[:, :, -4:, -4:]
    assert far.abs().max() > 0
