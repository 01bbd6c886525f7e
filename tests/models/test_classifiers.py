"""The classifiers and their registry."""

from pathlib import Path

import pytest
import torch
from torch import nn

from edgevision.core.errors import InputError
from edgevision.models import CLASSIFIERS, PointRegressor, build_model, model_options
from edgevision.models.cifar_resnet import _PaddedSubsample
from edgevision.models.mobile_vit import _MobileVitBlock


def weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("in_channels", [1, 3])
def test_every_model_gives_logits_for_its_classes(name: str, in_channels: int) -> None:
    network = build_model(name, num_classes=7, in_channels=in_channels).eval()
    with torch.inference_mode():
        logits = network(torch.randn(2, in_channels, 32, 32))
    assert logits.shape == (2, 7)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_gradient_reaches_every_weight(name: str) -> None:
    network = build_model(name, dropout=0.0)
    network(torch.randn(4, 3, 32, 32)).square().sum().backward()
    for parameter, tensor in network.named_parameters():
        assert tensor.grad is not None, parameter
        assert tensor.grad.abs().sum() > 0, parameter


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_pictures_of_a_batch_do_not_see_each_other(name: str) -> None:
    network = build_model(name, dropout=0.5).eval()
    images = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(images)[1:2], network(images[1:2]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if "image_size" in model_options(name)])
@pytest.mark.parametrize("size", [28, 64, 96])
def test_the_picture_size_is_an_option_where_it_matters(name: str, size: int) -> None:
    network = build_model(name, image_size=size).eval()
    with torch.inference_mode():
        assert network(torch.randn(1, 3, size, size)).shape == (1, 10)


@pytest.mark.parametrize("size", [(4, 4), (33, 17), (96, 64)])
def test_a_resnet_takes_pictures_of_any_size(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert build_model("resnet20").eval()(torch.randn(1, 3, *size)).shape == (1, 10)


def test_a_vision_transformer_wants_whole_patches() -> None:
    with pytest.raises(
        InputError, match=r"vit cannot be built: image_size must be a multiple of the patch_size 4, not 30"
    ):
        build_model("vit", image_size=30)
    with pytest.raises(InputError, match=r"image_size must be a multiple of the patch_size 16, not 8"):
        build_model("vit", image_size=8, patch_size=16)
    with pytest.raises(InputError, match=r"width must be a multiple of the 5 heads, not 128"):
        build_model("vit", heads=5)


@pytest.mark.parametrize(("size", "tokens"), [(32, 64), (64, 64), (96, 144), (224, 196)])
def test_a_vision_transformer_has_patches_by_the_picture(size: int, tokens: int) -> None:
    assert build_model("vit", image_size=size, layers=1).positions.embedding.shape == (1, tokens, 128)


def test_a_token_takes_from_every_other_and_knows_its_place() -> None:
    network = build_model("vit").eval()
    images = torch.zeros(1, 3, 32, 32, requires_grad=True)
    tokens = network.layers(network.positions(network.patches(images).flatten(2).transpose(1, 2)))
    tokens[0, 0].square().sum().backward()
    assert (images.grad.abs().sum(dim=(0, 1)) > 0).all()
    moved = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert not torch.allclose(network(moved), network(moved.roll(4, 3)), atol=1e-4)


@pytest.mark.parametrize("size", [(16, 16), (48, 64)])
def test_a_hybrid_takes_sides_in_multiples_of_16(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert build_model("mobilevit").eval()(torch.randn(1, 3, *size)).shape == (1, 10)


@pytest.mark.parametrize("patch", [1, 2])
def test_unfolding_and_folding_leave_every_pixel_in_its_place(patch: int) -> None:
    block = _MobileVitBlock(6, 8, 0, patch)
    block.norm = nn.Identity()
    seen: list[torch.Tensor] = []
    block.local.register_forward_hook(lambda _, inputs, output: seen.append(output))
    block.back.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    block(torch.randn(2, 6, 4, 8))
    assert torch.equal(*seen)


@pytest.mark.parametrize(("name", "millions"), [("vit", 1.21), ("mobilevit", 0.95), ("mobilenet", 0.55)])
def test_networks_for_small_boards_stay_small(name: str, millions: float) -> None:
    assert round(weights(build_model(name)) / 1e6, 2) == millions


def test_a_picture_too_small_for_the_poolings_is_refused() -> None:
    with pytest.raises(InputError, match=r"cnn4 cannot be built: image_size must leave a pixel"):
        build_model("cnn4", image_size=8)


@pytest.mark.parametrize(
    ("name", "millions"), [("resnet20", 0.27), ("resnet32", 0.46), ("resnet44", 0.66), ("resnet56", 0.85)]
)
def test_resnets_are_as_large_as_in_the_paper(name: str, millions: float) -> None:
    assert round(weights(build_model(name)) / 1e6, 2) == millions  # He et al. 2016, table 6


def test_shortcut_a_has_no_weights_and_b_has_projections() -> None:
    projections = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    plain, projected = (build_model("resnet20", shortcut=kind) for kind in "AB")
    assert weights(projected) - weights(plain) == projections
    assert not any("shortcut" in name for name in plain.state_dict())


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 5)])
def test_shortcut_a_is_a_strided_slice_between_zero_channels(height: int, width: int) -> None:
    x = torch.randn(2, 16, height, width)
    y = _PaddedSubsample(16)(x)
    assert y.shape == (2, 32, (height + 1) // 2, (width + 1) // 2)
    torch.testing.assert_close(y[:, 8:24], x[:, :, ::2, ::2], rtol=0, atol=0)
    assert not y[:, :8].any()
    assert not y[:, 24:].any()


def test_dropout_is_active_in_training_only() -> None:
    images = torch.randn(2, 3, 32, 32)
    for name in CLASSIFIERS:
        network = build_model(name, dropout=0.5).eval()
        assert torch.equal(network(images), network(images)), name
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.train()
        assert not torch.equal(network(images), network(images)), name


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no model 'resnet21'; known: cnn2, .*resnet20, .*mobilenet"):
        build_model("resnet21")


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("option", ["depth", "stages", "heads_"])
def test_an_unknown_option_lists_the_models_own(name: str, option: str) -> None:
    with pytest.raises(InputError, match=rf"{name} has no option '{option}'; it has num_classes"):
        build_model(name, **{option: 3})


def test_a_wrong_value_of_an_option_is_an_input_error() -> None:
    with pytest.raises(InputError, match="shortcut must be 'A' or 'B', not 'C'"):
        build_model("resnet20", shortcut="C")
    with pytest.raises(InputError, match="resnet20 cannot be built"):
        build_model("resnet20", num_classes="ten")


def test_the_published_resnet20_fits(shared: Path) -> None:
    # The published file is a legacy archive, whose storages torch still reads with weights_only.
    loaded = torch.load(shared / "cases" / "resnet20_cifar10" / "resnet20.th", map_location="cpu", weights_only=True)
    state = {name.removeprefix("module."): tensor for name, tensor in loaded["state_dict"].items()}
    network = build_model("resnet20").eval()
    network.load_state_dict(state, strict=True)
    with torch.inference_mode():
        logits = network(torch.zeros(1, 3, 32, 32))
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("vit", "layers", -1),
        ("texture", "doublings", -2),
        ("denoise_unet", "blocks", (2, -1, 2)),
        ("hyperprior", "context_width", -1),
    ],
)
def test_less_than_none_is_refused(name: str, option: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"{option} of the model {name} must not be negative, not .*; usual is"):
        build_model(name, **{option: value})


@pytest.mark.parametrize("width", [0, -0.5])
def test_a_share_of_no_channels_is_refused(width: float) -> None:
    with pytest.raises(ValueError, match="width is a share of the published channels, above 0, not"):
        PointRegressor(width=width)
    with pytest.raises(InputError, match="point_regressor"):
        build_model("point_regressor", width=width)


@pytest.mark.parametrize(("name", "option"), [("resnet20", "num_classes"), ("point_regressor", "features")])
def test_a_layer_of_nothing_is_refused(name: str, option: str) -> None:
    with (
        pytest.warns(UserWarning, match="zero-element"),
        pytest.raises(InputError, match=f"{name} cannot be built: by its options .*weight has no numbers"),
    ):
        build_model(name, **{option: 0})
