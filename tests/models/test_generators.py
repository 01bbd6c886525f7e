"""The generative networks: shapes, ranges, classes, and the pairs that train against each other."""

import pytest
import torch
from torch import Tensor, nn

from edgevision.core.errors import InputError
from edgevision.models import (
    AUTOENCODERS,
    DISCRIMINATORS,
    GENERATORS,
    MODELS,
    ConvVae,
    DcganDiscriminator,
    DcganGenerator,
    MlpDiscriminator,
    MlpGenerator,
    ResidualDiscriminator,
    ResidualGenerator,
    TextureDiscriminator,
    TextureGenerator,
    build_model,
    model_options,
)
from edgevision.models.normalisation import ConditionalBatchNorm

PAIRS = {
    "mlp_gan": ({"latent": 5, "hidden": (12, 16), "image_size": 8}, {"hidden": (16, 12), "image_size": 8}),
    "dcgan": ({"latent": 5, "image_size": 16, "width": 4}, {"image_size": 16, "width": 4}),
    "residual_gan": ({"latent": 5, "image_size": 16, "width": 4}, {"image_size": 16, "width": 4}),
    "texture": ({"latent": 5, "width": 4, "doublings": 2}, {"width": 4, "halvings": 2}),
}
each_pair = pytest.mark.parametrize("name", PAIRS)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def run(network: nn.Module, *inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        answer: Tensor = network.eval()(*inputs)
    return answer


def scrambled(network: nn.Module, by: float = 0.1) -> nn.Module:
    """Random weights where training starts from zeros."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(by * torch.randn_like(parameter))
    return network


def latents(generator: nn.Module, count: int) -> Tensor:
    """Enough for ``count`` pictures; a map of 4x4 where it takes maps."""
    return torch.randn(count, *(side or 4 for side in generator.latent_shape))


def one_hot(*classes: int, of: int) -> Tensor:
    return torch.eye(of)[list(classes)]


# --- the pairs ---


def test_every_generator_has_something_to_be_trained_against() -> None:
    assert GENERATORS.keys() == DISCRIMINATORS.keys() == PAIRS.keys()
    assert MODELS.keys() >= GENERATORS.keys() | AUTOENCODERS.keys()


@pytest.mark.parametrize("name", [*GENERATORS, *AUTOENCODERS])
def test_every_generative_network_builds_with_its_defaults_and_lists_its_options(name: str) -> None:
    network = build_model(name)
    assert sum(parameter.numel() for parameter in network.parameters()) > 10_000
    assert "latent" in model_options(name)
    with pytest.raises(InputError, match=f"the model {name} has no option 'blocks'"):
        build_model(name, blocks=3)


@each_pair
def test_the_discriminators_verdict_reaches_every_weight_of_both(name: str) -> None:
    generator, discriminator = GENERATORS[name](**PAIRS[name][0]), DISCRIMINATORS[name](**PAIRS[name][1])
    discriminator(generator(latents(generator, 4))).square().sum().backward()
    for network in (generator, discriminator):
        for parameter, tensor in network.named_parameters():
            assert tensor.grad is not None, parameter
            assert tensor.grad.abs().sum() > 0, parameter


@each_pair
def test_pictures_are_in_minus_1_to_1_and_use_the_whole_of_it(name: str) -> None:
    generator = scrambled(GENERATORS[name](**PAIRS[name][0]), by=2)
    pictures = run(generator, latents(generator, 6))
    assert pictures.dtype == torch.float32
    assert pictures.min() >= -1
    assert pictures.max() <= 1
    assert pictures.min() < -0.9
    assert pictures.max() > 0.9


@each_pair
def test_scores_have_no_bound(name: str) -> None:
    discriminator = DISCRIMINATORS[name](**PAIRS[name][1], spectral_norm=False)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(30)
    generator = GENERATORS[name](**PAIRS[name][0])
    assert run(discriminator, run(generator, latents(generator, 6))).abs().max() > 1


@each_pair
def test_pictures_of_a_batch_do_not_see_each_other(name: str) -> None:
    generator = scrambled(GENERATORS[name](**PAIRS[name][0]))
    batch = latents(generator, 3)
    torch.testing.assert_close(run(generator, batch)[1:2], run(generator, batch[1:2]), rtol=1e-4, atol=1e-5)


@each_pair
def test_spectral_norm_is_there_only_when_wanted(name: str) -> None:
    plain, normed = (DISCRIMINATORS[name](**PAIRS[name][1], spectral_norm=wanted) for wanted in (False, True))
    assert not [key for key in plain.state_dict() if "parametrizations" in key]
    layers = [module for module in normed.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    assert len(layers) > 1
    generator = GENERATORS[name](**PAIRS[name][0])
    for _ in range(30):  # each pass refines the estimate of the largest singular value
        normed(generator(latents(generator, 2)))
    for layer in layers:
        largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]
        assert float(largest) == pytest.approx(1, abs=0.05)
    unnormed = [
        torch.linalg.svdvals(module.weight.detach().flatten(1))[0]
        for module in plain.modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]
    assert max(abs(float(value) - 1) for value in unnormed) > 0.05


@each_pair
def test_dropout_is_felt_in_training_alone(name: str) -> None:
    generator, discriminator = GENERATORS[name](**PAIRS[name][0]), DISCRIMINATORS[name](**PAIRS[name][1], dropout=0.5)
    pictures = run(generator, latents(generator, 4))
    assert torch.equal(run(discriminator, pictures), run(discriminator, pictures))
    discriminator.train()
    with torch.no_grad():
        assert not torch.equal(discriminator(pictures), discriminator(pictures))


# --- dense ---


@pytest.mark.parametrize(("image_size", "channels"), [(28, 1), (8, 3)])
def test_dense_layers_draw_pictures_of_their_size(image_size: int, channels: int) -> None:
    generator = MlpGenerator(latent=7, hidden=(16,), image_size=image_size, channels=channels)
    pictures = run(generator, torch.randn(3, 7))
    assert pictures.shape == (3, channels, image_size, image_size)
    assert generator.latent_shape == (7,)
    discriminator = MlpDiscriminator(hidden=(16,), image_size=image_size, channels=channels)
    assert run(discriminator, pictures).shape == (3,)


@pytest.mark.parametrize(("activation", "layer"), [("relu", nn.ReLU()), ("leaky_relu", nn.LeakyReLU(0.2))])
def test_a_dense_generator_reads_the_weights_of_a_plain_sequence(activation: str, layer: nn.Module) -> None:
    published = nn.Sequential(nn.Linear(6, 10), layer, nn.Linear(10, 12), layer, nn.Linear(12, 64), nn.Tanh())
    network = MlpGenerator(latent=6, hidden=(10, 12), image_size=8, activation=activation)
    network.load_state_dict(published.state_dict())
    latent = torch.randn(4, 6)
    torch.testing.assert_close(run(network, latent), run(published, latent).reshape(4, 1, 8, 8))


# --- convolutions ---


@pytest.mark.parametrize("kernel_size", [4, 5])
@pytest.mark.parametrize(("image_size", "channels"), [(8, 3), (28, 1), (32, 3), (64, 3)])
def test_the_dcgan_draws_and_judges_pictures_of_its_size(image_size: int, channels: int, kernel_size: int) -> None:
    options = {"image_size": image_size, "channels": channels, "width": 4, "kernel_size": kernel_size}
    pictures = run(DcganGenerator(**options, latent=6), torch.randn(2, 6))
    assert pictures.shape == (2, channels, image_size, image_size)
    assert run(DcganDiscriminator(**options), pictures).shape == (2,)


@pytest.mark.parametrize("kernel_size", [2, 3, 6])
def test_any_kernel_that_doubles_will_do(kernel_size: int) -> None:
    options = {"image_size": 16, "width": 4, "kernel_size": kernel_size}
    pictures = run(DcganGenerator(**options, latent=6), torch.randn(2, 6))
    assert pictures.shape == (2, 3, 16, 16)
    assert run(DcganDiscriminator(**options), pictures).shape == (2,)


@pytest.mark.parametrize("name", ["dcgan", "conv_vae"])
@pytest.mark.parametrize("image_size", [36, 27, 4, 3, 0, -8])
def test_a_size_that_cannot_be_halved_to_4_to_8_pixels_is_refused(name: str, image_size: int) -> None:
    rule = f"image_size must be 4 to 8 times a power of two, as 28, 32 or 64, not {image_size}"
    with pytest.raises(InputError, match=f"the model {name} cannot be built: {rule}"):
        build_model(name, image_size=image_size)


def test_a_kernel_of_one_pixel_cannot_double() -> None:
    with pytest.raises(InputError, match="dcgan cannot be built: kernel_size must be at least 2, not 1"):
        build_model("dcgan", kernel_size=1)


def test_the_class_changes_the_picture_and_the_verdict() -> None:
    generator = scrambled(DcganGenerator(image_size=8, latent=6, width=4, num_classes=3))
    discriminator = DcganDiscriminator(image_size=8, width=4, num_classes=3)
    latent = torch.randn(1, 6).expand(3, -1)
    pictures = run(generator, latent, one_hot(0, 1, 2, of=3))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert (pictures[first] - pictures[second]).abs().max() > 1e-3
    scores = run(discriminator, pictures[:1].expand(3, -1, -1, -1), one_hot(0, 1, 2, of=3))
    assert len(set(scores.tolist())) == 3
    repeated = run(generator, latent, one_hot(1, 1, 1, of=3))
    torch.testing.assert_close(repeated[0], repeated[2])


def test_the_classes_are_projected_onto_the_features() -> None:
    """Miyato & Koyama 2018, equation 4: the class adds its own inner product with the features."""
    discriminator = DcganDiscriminator(image_size=8, width=4, num_classes=3, spectral_norm=False).eval()
    pictures, classes = torch.rand(4, 3, 8, 8), one_hot(0, 1, 2, 1, of=3)
    features = discriminator.layers(pictures)
    embedded = discriminator.projection.weight[:, [0, 1, 2, 1]].T
    expected = discriminator(pictures) + (features * embedded).sum(dim=1)
    torch.testing.assert_close(discriminator(pictures, classes), expected)


def test_untrained_conditional_normalisation_is_the_plain_one() -> None:
    plain, conditional = nn.BatchNorm2d(5), ConditionalBatchNorm(5, 3)
    features = torch.randn(4, 5, 2, 2)
    assert torch.equal(conditional(features, one_hot(0, 1, 2, 0, of=3)), plain(features))


def test_each_class_has_its_own_gain_and_bias() -> None:
    norm = ConditionalBatchNorm(2, 3).eval()
    with torch.no_grad():
        norm.gain.weight.copy_(torch.tensor([[0.0, 1.0, -1.0], [0.5, 0.0, 0.0]]))
        norm.bias.weight.copy_(torch.tensor([[0.0, 0.0, 7.0], [1.0, 2.0, 3.0]]))
    ones = torch.full((4, 2, 1, 1), (1 + norm.norm.eps) ** 0.5)  # its running mean is 0 and its running variance 1
    shares = torch.cat((one_hot(0, 1, 2, of=3), torch.tensor([[0.5, 0.5, 0.0]])))
    expected = torch.tensor([[1.0, 2.5], [2.0, 3.0], [7.0, 4.0], [1.5, 2.75]])
    torch.testing.assert_close(norm(ones, shares)[:, :, 0, 0], expected)


# --- textures ---


@pytest.mark.parametrize("doublings", [1, 2, 4])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (3, 3)])
def test_a_texture_has_any_size(doublings: int, height: int, width: int) -> None:
    generator = TextureGenerator(latent=3, width=4, doublings=doublings)
    assert (generator.scale, generator.latent_shape) == (2**doublings, (3, None, None))
    texture = run(generator, torch.randn(2, 3, height, width))
    assert texture.shape == (2, 3, height * generator.scale, width * generator.scale)


def test_a_texture_looks_alike_wherever_the_same_noise_lies() -> None:
    generator = scrambled(TextureGenerator(latent=3, width=4, doublings=3))
    noise = torch.randn(1, 3, 12, 12)
    whole, part = run(generator, noise), run(generator, noise[:, :, 2:10, 3:12])
    # Two places of the map from every border its padding is no longer seen.
    torch.testing.assert_close(whole[:, :, 32:64, 40:80], part[:, :, 16:48, 16:56], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole[:, :, 16:24, 24:96], part[:, :, :8, :72], atol=1e-3)


def test_a_texture_is_judged_patch_by_patch() -> None:
    discriminator = TextureDiscriminator(width=4, halvings=3)
    picture = torch.rand(2, 3, 64, 32)
    scores = run(discriminator, picture)
    assert scores.shape == (2, 8 * 4)
    other = picture.clone()
    other[:, :, :4, :4] += 1
    changed = (run(discriminator, other) - scores).abs().reshape(2, 8, 4)
    assert changed[:, 0, 0].min() > 0
    assert changed[:, -1, -1].max() == 0


# --- the autoencoder ---


@pytest.mark.parametrize(("image_size", "channels"), [(8, 3), (28, 1), (32, 3)])
def test_an_autoencoder_gives_the_picture_and_its_code(image_size: int, channels: int) -> None:
    network = ConvVae(image_size=image_size, channels=channels, latent=6, width=4).eval()
    images = 2 * torch.rand(3, channels, image_size, image_size) - 1
    with torch.inference_mode():
        restored, code = network(images)
        assert restored.shape == images.shape
        assert restored.abs().max() <= 1
        assert code.shape == (3, *network.latent_shape) == (3, 6)
        assert torch.equal(code, network.encoder(images))
        assert torch.equal(restored, network.decoder(code))


def test_training_draws_the_code_around_its_mean() -> None:
    network = ConvVae(image_size=8, latent=400, width=4).eval()
    codes = []
    network.decoder.register_forward_pre_hook(lambda _, inputs: codes.append(inputs[0]))
    with torch.inference_mode():
        network.encoder.log_variance.weight.zero_()
        network.encoder.log_variance.bias.fill_(torch.tensor(0.25).log())
        images = torch.rand(5, 3, 8, 8)
        output = network.sample(images)
        torch.testing.assert_close(output.mean, network.encoder(images))
        torch.testing.assert_close(output.log_variance.exp(), torch.full((5, 400), 0.25))
        surprise = (codes[0] - output.mean) / 0.5
        assert float(surprise.mean()) == pytest.approx(0, abs=0.1)
        assert float(surprise.std()) == pytest.approx(1, abs=0.1)
        network.encoder.log_variance.bias.fill_(-100.0)
        torch.testing.assert_close(network.sample(images).image, network(images)[0])


def test_the_gradient_reaches_every_weight_of_an_autoencoder() -> None:
    network = ConvVae(image_size=8, latent=6, width=4)
    output = network.sample(torch.rand(4, 3, 8, 8))
    (output.image.square().sum() + output.mean.square().sum() + output.log_variance.exp().sum()).backward()
    for parameter, tensor in network.named_parameters():
        assert tensor.grad is not None, parameter
        assert tensor.grad.abs().sum() > 0, parameter


# --- the residual pair ---


@pytest.mark.parametrize("image_size", [28, 32, 64])
def test_the_residual_pair_takes_what_the_dcgan_takes(image_size: int) -> None:
    generator = ResidualGenerator(image_size=image_size, width=4)
    pictures = run(generator, latents(generator, 2))
    assert pictures.shape == (2, 3, image_size, image_size)
    assert run(ResidualDiscriminator(image_size=image_size, width=4), pictures).shape == (2,)


def test_latent_and_class_of_the_residual_generator_set_its_normalisations() -> None:
    generator = scrambled(ResidualGenerator(image_size=16, width=4, latent=5, num_classes=3))
    latent = torch.randn(1, 5).expand(2, 5)
    first, second = run(generator, latent, one_hot(0, 2, of=3))
    assert (first - second).abs().max() > 1e-3
    assert all(norm.gain.in_features == 8 for norm in generator.modules() if isinstance(norm, ConditionalBatchNorm))


def test_the_class_moves_the_residual_discriminators_score() -> None:
    discriminator = ResidualDiscriminator(image_size=16, width=4, num_classes=3)
    picture = torch.randn(1, 3, 16, 16).expand(2, 3, 16, 16)
    first, second = run(discriminator, picture, one_hot(0, 2, of=3))
    assert first != second
