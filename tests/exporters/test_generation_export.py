"""Generators and autoencoders, the project's own and others', become models that draw what the checkpoints do."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import edgevision
from edgevision.cli.app import main
from edgevision.core.errors import InputError
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.exporters.export import export
from edgevision.exporters.report import ExportReport
from edgevision.exporters.samples import seeded_batches
from edgevision.exporters.sources.network_part import NetworkPart
from edgevision.exporters.verify import verify
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, Precision, TensorSpec
from edgevision.modelfiles.model_file import read_metadata
from edgevision.models import ConvVae, TextureGenerator, build_model
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.tasks.generation.generator import Generator
from edgevision.runtime.tasks.generation.latents import draw_latents
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec
from edgevision.training.checkpoint import save_checkpoint

Sqnr = Callable[[object, object], float]
Exported = Callable[..., tuple[Path, ExportReport]]

LABELS = ("ant", "bee", "cow")
DCGAN = {"image_size": 8, "latent": 5, "width": 8, "num_classes": 3}
VAE = {"image_size": 8, "latent": 5, "width": 8}
TEXTURE = {"latent": 3, "width": 4, "doublings": 2}
PICTURE = ("batch", 3, 8, 8)


def drawing(name: str, options: dict[str, Any], shape: tuple[int | str, ...], **changes: Any) -> ModelMetadata:
    """Metadata as training writes them for a generator."""
    base: dict[str, Any] = {
        "task": "generate",
        "name": name,
        "inputs": (TensorSpec(name="latent", shape=("batch", options["latent"])),),
        "outputs": (TensorSpec(name="image", shape=shape, value_range=(-1.0, 1.0)),),
        "spec": GenerationSpec(latent=LatentSpec(size=options["latent"])),
        "quality": {"val_variety": 0.9},
        "licence": "CC0-1.0",
    }
    return ModelMetadata(**(base | changes))


METADATA = {
    "dcgan": drawing(
        "dcgan",
        DCGAN,
        PICTURE,
        inputs=(
            TensorSpec(name="latent", shape=("batch", 5)),
            TensorSpec(name="classes", shape=("batch", 3), value_range=(0.0, 1.0)),
        ),
        spec=GenerationSpec(latent=LatentSpec(size=5), labels=LABELS),
    ),
    "texture": drawing(
        "texture",
        TEXTURE,
        ("batch", 3, "4*height", "4*width"),
        inputs=(TensorSpec(name="latent", shape=("batch", 3, "height", "width")),),
        spec=GenerationSpec(latent=LatentSpec(size=3, pixels=4)),
    ),
    "conv_vae": ModelMetadata(
        task="reconstruct",
        name="conv_vae",
        inputs=(TensorSpec(name="image", shape=PICTURE, value_range=(-1.0, 1.0)),),
        outputs=(
            TensorSpec(name="restored_image", shape=PICTURE, value_range=(-1.0, 1.0)),
            TensorSpec(name="code", shape=("batch", 5)),
        ),
        image=ImageSpec(size=(8, 8), value_range=(-1.0, 1.0)),
        spec=GenerationSpec(latent=LatentSpec(size=5)),
    ),
}
OPTIONS = {"dcgan": DCGAN, "texture": TEXTURE, "conv_vae": VAE}

both_formats = pytest.mark.parametrize("model_format", ["onnx", "openvino"])


def lively(network: nn.Module) -> nn.Module:
    """Weights that make pictures of all shades, of statistics that differ from those of a fresh normalisation."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
            if name.endswith(("gain.weight", "bias.weight")):
                parameter.mul_(3)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkpoint of random weights of each kind, as training writes it."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    for name, options in OPTIONS.items():
        network = lively(build_model(name, **options))
        save_checkpoint(folder / f"{name}.pt", network, METADATA[name], model=name, options=options)
    return {name: folder / f"{name}.pt" for name in OPTIONS}


@pytest.fixture(scope="module")
def exported_generator(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A checkpoint, or a part of it, exported in a format, with the report; the files must not be changed."""
    folder = tmp_path_factory.mktemp("generators")
    done: dict[tuple[str, str, str], tuple[Path, ExportReport]] = {}

    def make(name: str, model_format: str = "onnx", part: str = "both") -> tuple[Path, ExportReport]:
        key = (name, model_format, part)
        if key not in done:
            path = folder / f"{name}-{part}{'.onnx' if model_format == 'onnx' else '.xml'}"
            done[key] = path, export(checkpoints[name], path, format=model_format, part=part)
        return done[key]

    return make


def network_of(path: Path) -> Any:
    return read_checkpoint(path).network


def latents(count: int, size: int, *sides: int) -> np.ndarray:
    return draw_latents(LatentSpec(size=size), count, seed=11, sides=sides or None)


def run(path: Path, **feeds: np.ndarray) -> list[np.ndarray]:
    with open_engine(path) as engine:
        return engine.run(feeds)


# --- a conditional generator ---


@both_formats
def test_a_conditional_generator_draws_what_its_checkpoint_does(
    exported_generator: Exported, checkpoints: dict[str, Path], sqnr: Sqnr, model_format: str
) -> None:
    path, report = exported_generator("dcgan", model_format)
    latent, classes = latents(7, 5), np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2, 0]]
    with torch.inference_mode():
        network = network_of(checkpoints["dcgan"])
        expected, others = (
            network(torch.from_numpy(latent), torch.from_numpy(chosen)).numpy()
            for chosen in (classes, classes[1:2].repeat(7, 0))
        )
    assert expected.std() > 0.1
    assert np.abs(expected[0] - others[0]).max() > 0.1  # the class is seen
    assert sqnr(expected, run(path, latent=latent, classes=classes)[0]) > 60
    assert report.parity.samples == 64
    assert report.parity.source == "seeded sampler, seed 0"
    decibels = report.parity.outputs[0].sqnr_db
    assert decibels is not None
    assert decibels > 60
    # What a pipeline makes of both is the same picture, but for rounding.
    assert report.metadata.spec.latent is not None
    with edgevision.load(path) as generator:
        found = generator(5, seed=3, label="bee").pixels.astype(int)
    with torch.inference_mode():
        own = torch.from_numpy(draw_latents(report.metadata.spec.latent, 5, seed=3))
        samples = network(own, torch.eye(3)[[1] * 5])
    wanted = ((samples + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
    assert np.abs(found - wanted).max() <= 1


@both_formats
def test_a_conditional_generator_says_what_it_takes_and_gives(exported_generator: Exported, model_format: str) -> None:
    path, report = exported_generator("dcgan", model_format)
    metadata = read_metadata(path)
    assert metadata == report.metadata
    assert metadata is not None
    assert (metadata.task, metadata.name, metadata.spec.labels) == ("generate", "dcgan", LABELS)
    assert metadata.spec.latent == LatentSpec(size=5)
    assert [(spec.name, spec.shape, spec.value_range) for spec in metadata.inputs] == [
        ("latent", ("batch", 5), None),
        ("classes", ("batch", 3), (0, 1)),
    ]
    assert [(spec.name, spec.shape, spec.value_range) for spec in metadata.outputs] == [("image", PICTURE, (-1, 1))]
    assert (metadata.quality, metadata.licence) == ({"val_variety": 0.9}, "CC0-1.0")
    assert metadata.image is None
    assert report.dynamic == ("batch",)
    assert report.exporter == "dynamo"


def test_half_precision_still_draws_the_same(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    report = export(checkpoints["dcgan"], tmp_path / "half.onnx", precision="fp16")
    decibels = report.parity.outputs[0].sqnr_db
    assert decibels is not None
    assert 40 < decibels < 90
    with edgevision.load(tmp_path / "half.onnx") as generator:
        assert generator(2).pixels.shape == (2, 8, 8, 3)


def test_a_generator_is_verified_against_its_checkpoint(
    exported_generator: Exported, checkpoints: dict[str, Path]
) -> None:
    report = verify(exported_generator("dcgan")[0], checkpoints["dcgan"], samples=10, quiet=True)
    report.parity.check(Precision.FP32)
    assert report.parity.samples == 10
    texture = verify(exported_generator("texture")[0], checkpoints["texture"], samples=3, quiet=True)
    texture.parity.check(Precision.FP32)


@pytest.mark.parametrize("labels", [["ant", "bee"], ["ant", "bee", "cow", "dog"], []])
def test_another_number_of_labels_than_classes_is_refused(
    checkpoints: dict[str, Path], tmp_path: Path, labels: list[str]
) -> None:
    with pytest.raises(InputError):
        export(checkpoints["dcgan"], tmp_path / "net.onnx", metadata={"labels": labels})
    assert list(tmp_path.iterdir()) == []


def test_classes_are_compared_on_in_turn() -> None:
    batches = list(seeded_batches(METADATA["dcgan"], (5,), 20, 4))
    assert [len(latent) for latent, _ in batches] == [16, 4]
    drawn, classes = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    np.testing.assert_array_equal(drawn, draw_latents(LatentSpec(size=5), 20, seed=4))
    np.testing.assert_array_equal(classes.argmax(1), np.arange(20) % 3)
    np.testing.assert_array_equal(classes.sum(1), 1)


# --- an autoencoder and its parts ---


@both_formats
def test_a_whole_autoencoder_gives_picture_and_code(
    exported_generator: Exported, checkpoints: dict[str, Path], sqnr: Sqnr, model_format: str
) -> None:
    path, report = exported_generator("conv_vae", model_format)
    images = torch.rand(4, 3, 8, 8) * 2 - 1
    with torch.inference_mode():
        restored, code = network_of(checkpoints["conv_vae"])(images)
    found = run(path, image=images.numpy())
    assert sqnr(restored, found[0]) > 60
    assert sqnr(code, found[1]) > 60
    metadata = report.metadata
    assert (metadata.task, metadata.name) == ("reconstruct", "conv_vae")
    assert metadata.image == METADATA["conv_vae"].image
    assert [(spec.name, spec.shape, spec.value_range) for spec in metadata.outputs] == [
        ("restored_image", PICTURE, (-1, 1)),
        ("code", ("batch", 5), None),
    ]
    assert metadata.inputs[0].value_range == (-1, 1)


def test_the_parts_of_an_autoencoder_make_the_whole(exported_generator: Exported, checkpoints: dict[str, Path]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    parts = [exported_generator("conv_vae", part=part)[0] for part in ("both", "encoder", "decoder")]
    with edgevision.load(parts[0]) as reconstruct, edgevision.load(parts[1]) as encode:
        made = reconstruct(pixels)
        alone = encode(pixels)
    np.testing.assert_allclose(alone, made.code, rtol=1e-4, atol=1e-5)
    with edgevision.load(parts[2]) as decode:
        decoded = decode.decode(made.code.values[None])[0].pixels
    assert np.abs(decoded.astype(int) - made.picture.pixels).max() <= 1
    assert made.picture.pixels.std() > 5


def test_the_encoder_alone_says_so(exported_generator: Exported) -> None:
    metadata = exported_generator("conv_vae", part="encoder")[1].metadata
    assert (metadata.task, metadata.name, metadata.spec) == ("encode", "conv_vae-encoder", None)
    assert metadata.image == METADATA["conv_vae"].image
    assert [(spec.name, spec.shape) for spec in metadata.inputs] == [("image", PICTURE)]
    assert [(spec.name, spec.shape) for spec in metadata.outputs] == [("code", ("batch", 5))]


@both_formats
def test_the_decoder_alone_is_a_generator(
    exported_generator: Exported, checkpoints: dict[str, Path], sqnr: Sqnr, model_format: str
) -> None:
    path, report = exported_generator("conv_vae", model_format, "decoder")
    metadata = report.metadata
    assert (metadata.task, metadata.name) == ("generate", "conv_vae-decoder")
    assert (metadata.spec.latent, metadata.image, metadata.spec.labels) == (LatentSpec(size=5), None, ())
    assert [(spec.name, spec.shape) for spec in metadata.inputs] == [("latent", ("batch", 5))]
    assert [(spec.name, spec.shape, spec.value_range) for spec in metadata.outputs] == [("image", PICTURE, (-1, 1))]
    latent = latents(6, 5)
    vae: ConvVae = network_of(checkpoints["conv_vae"])
    with torch.inference_mode():
        assert sqnr(vae.decoder(torch.from_numpy(latent)), run(path, latent=latent)[0]) > 60


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_part_is_verified_against_the_whole(
    exported_generator: Exported, checkpoints: dict[str, Path], part: str
) -> None:
    path, _ = exported_generator("conv_vae", part=part)
    parity = verify(path, checkpoints["conv_vae"], samples=8, quiet=True).parity
    parity.check(Precision.FP32)
    assert len(parity.outputs) == 1


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_only_an_autoencoder_has_parts(
    checkpoints: dict[str, Path], checkpoint: Path, tmp_path: Path, part: str
) -> None:
    torch.save(network_of(checkpoints["conv_vae"]).state_dict(), tmp_path / "bare.pt")
    sources: list[tuple[Path, dict[str, Any]]] = [
        (checkpoints["dcgan"], {}),
        (checkpoint, {}),
        (tmp_path / "bare.pt", {"arch": "edgevision.models:ConvVae", "arch_options": VAE, "input_shape": (1, 3, 8, 8)}),
    ]
    for source, options in sources:
        with pytest.raises(
            InputError, match=f"--part {part} is for a variational autoencoder made by edgevision train"
        ):
            export(source, tmp_path / "net.onnx", part=part, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["bare.pt"]


def test_a_part_that_there_is_not_is_misuse(checkpoints: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="middle"):
        export(checkpoints["conv_vae"], part="middle")
    assert list(NetworkPart) == ["both", "encoder", "decoder", "features", "stream"]


def test_the_command_exports_a_part(
    checkpoints: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(checkpoints["conv_vae"]), "--part", "decoder", "-o", str(tmp_path / "d.onnx"), "--json"]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out)["metadata"]["name"] == "conv_vae-decoder"
    words[1] = str(checkpoints["dcgan"])
    with pytest.raises(SystemExit) as ended:
        main([*words, "--force"])
    assert ended.value.code == 2
    assert "--part decoder is for a variational autoencoder" in capsys.readouterr().err


# --- textures ---


@both_formats
def test_a_texture_keeps_its_height_and_width_dynamic(
    exported_generator: Exported, checkpoints: dict[str, Path], sqnr: Sqnr, model_format: str
) -> None:
    path, report = exported_generator("texture", model_format)
    assert report.dynamic == ("batch", "height", "width")
    assert report.parity.samples > 64
    assert "from the seeded sampler" in report.parity.source
    assert report.metadata.spec.latent == LatentSpec(size=3, pixels=4)
    assert report.metadata.inputs[0].shape == ("batch", 3, "height", "width")
    for sides in ((2, 7), (5, 1)):
        noise = latents(2, 3, *sides)
        with torch.inference_mode():
            expected = network_of(checkpoints["texture"])(torch.from_numpy(noise))
        assert sqnr(expected, run(path, latent=noise)[0]) > 60
    with edgevision.load(path) as generator:
        assert generator(1, height=10, width=30).pixels.shape == (1, 10, 30, 3)


# --- other people's generators ---


def test_the_pixels_of_a_foreign_texture_are_found(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = lively(TextureGenerator(latent=3, width=4, doublings=1))
    torch.save(network.state_dict(), tmp_path / "net.pth")
    report = export(
        tmp_path / "net.pth",
        arch="edgevision.models:TextureGenerator",
        arch_options={"latent": 3, "width": 4, "doublings": 1},
        input_shape=(1, 3, 4, 4),
        metadata={"task": "generate"},
    )
    assert report.metadata.spec.latent == LatentSpec(size=3, pixels=2)
    assert report.metadata.outputs[0].value_range == (-1, 1)
    with edgevision.load(tmp_path / "net.onnx") as generator:
        assert generator(1, height=9, width=5).pixels.shape == (1, 9, 5, 3)


def test_bare_weights_of_a_dense_generator_are_read(tmp_path: Path, sqnr: Sqnr) -> None:
    torch.manual_seed(0)
    published = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 64), nn.Tanh())
    torch.save(published.state_dict(), tmp_path / "gan.ckpt")
    options = {"latent": 6, "hidden": [12], "image_size": 8, "activation": "relu"}
    report = export(
        tmp_path / "gan.ckpt",
        arch="edgevision.models:MlpGenerator",
        arch_options=options,
        input_shape=(1, 6),
        metadata={"task": "generate"},
    )
    assert (report.metadata.name, report.metadata.spec.latent) == ("gan", LatentSpec(size=6))
    assert [(spec.name, spec.shape) for spec in report.metadata.inputs] == [("latent", ("batch", 6))]
    output = report.metadata.outputs[0]
    # The range is seen through the reshaping that follows.
    assert (output.name, output.shape, output.value_range) == ("image", ("batch", 1, 8, 8), (-1, 1))
    latent = latents(5, 6)
    with torch.inference_mode():
        expected = published(torch.from_numpy(latent)).reshape(5, 1, 8, 8)
    assert sqnr(expected, run(tmp_path / "gan.onnx", latent=latent)[0]) > 60


FOREIGN = """
from torch import nn


def dcgan():
    return nn.Sequential(
        nn.ConvTranspose2d(6, 8, 4, 1, 0, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 3, 4, 2, 1),
        nn.Sigmoid(),
    )


def flat():
    return nn.Sequential(nn.Linear(6, 64), nn.Tanh())
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Somebody else's module of generators, found because its folder is the current one."""
    (tmp_path / "foreign_generators.py").write_text(FOREIGN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    torch.manual_seed(0)
    return import_module("foreign_generators")


def export_foreign(network: nn.Module, name: str, shape: tuple[int, ...], **metadata: Any) -> ExportReport:
    torch.save(network.state_dict(), f"{name}.pth")
    return export(
        f"{name}.pth",
        arch=f"foreign_generators:{name}",
        input_shape=shape,
        metadata={"task": "generate"} | metadata,
        force=True,
    )


def test_a_published_dcgan_takes_a_vector_as_a_map_of_one_pixel(foreign: Any, sqnr: Sqnr) -> None:
    network = lively(foreign.dcgan())
    report = export_foreign(network, "dcgan", (1, 6, 1, 1))
    assert report.metadata.spec.latent == LatentSpec(size=6)
    assert report.metadata.outputs[0].value_range == (0, 1)
    latent = latents(5, 6)
    with torch.inference_mode():
        expected = network(torch.from_numpy(latent)[:, :, None, None])
    assert sqnr(expected, run(Path("dcgan.onnx"), latent=latent[:, :, None, None])[0]) > 60
    with edgevision.load("dcgan.onnx") as generator:
        assert isinstance(generator, Generator)
        pictures = generator.decode(latent).pixels
    assert pictures.shape == (5, 8, 8, 3)
    assert np.abs(pictures.astype(int) - (255 * expected.permute(0, 2, 3, 1)).round().numpy()).max() <= 1


def test_flattened_pictures_are_drawn_square(foreign: Any) -> None:
    report = export_foreign(foreign.flat(), "flat", (1, 6))
    assert report.metadata.outputs[0].shape == ("batch", 64)
    with edgevision.load("flat.onnx") as generator:
        assert generator(3).pixels.shape == (3, 8, 8, 1)


def test_what_the_latent_is_drawn_from_can_be_said(foreign: Any) -> None:
    report = export_foreign(foreign.flat(), "flat", (1, 6), latent={"distribution": "uniform"})
    assert report.metadata.spec.latent == LatentSpec(size=6, distribution="uniform")
