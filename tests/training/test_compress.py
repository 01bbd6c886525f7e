"""Training a codec, and what it becomes: two halves that agree on every bit, whatever they run on."""

import json
import shutil
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import TRAINING_MARKS

import edgevision
from edgevision.core.errors import InputError
from edgevision.exporters.quantization.options import EngineChoice, Preset
from edgevision.exporters.quantization.report import Outcome
from edgevision.exporters.quantization.settings import QuantizationSettings
from edgevision.exporters.quantization.targets import find_target, is_this_machine
from edgevision.exporters.verify import verify
from edgevision.imaging.symbol_scales import LEAST_SCALE, RESTORED_SHIFT, SCALE_COUNT, SCALE_STEP
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.models import build_model
from edgevision.runtime.tasks.compression.evc_file import EvcFile
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.training.compression_metadata import codec_name, integer_entropy_model
from edgevision.training.compression_module import CompressionCrops
from edgevision.training.photo_crops import Photos
from edgevision.training.seeded_batches import VALIDATION
from edgevision.training.settings import CompressionSettings

pytestmark = TRAINING_MARKS

SMALL = {
    "model_options": {
        "widths": [4, 4],
        "blocks": [0, 1],
        "latents": 8,
        "hyper_width": 4,
        "hyper_latents": 4,
        "slices": [3, 5],
        "context_width": 4,
    },
    "distortion_weights": (0.002, 0.02),
    "crop": 64,
    "batch_size": 2,
    "workers": 0,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Of thirty, a few are held out by their names."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for number in range(30):
        Image.fromarray(generator.integers(0, 256, (70, 90, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "codec"
    return edgevision.train("compress", photos, folder, steps=4, validate_every=2, ema=0.5, quiet=True, **SMALL)


@pytest.fixture(scope="module")
def halves(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("halves")
    for part in ("encoder", "decoder"):
        edgevision.export(trained, folder / f"{part}.onnx", part=part)
    return folder


def test_the_checkpoint_holds_the_figures_and_the_entropy_model(trained):
    content = torch.load(trained, weights_only=True)
    metadata = ModelMetadata.from_json(content["edgevision"])
    assert metadata.task == "compress"
    assert metadata.quality.keys() == {"val_cost", "val_bpp_1", "val_psnr_1", "val_bpp_2", "val_psnr_2"}
    network = build_model(content["model"], **json.loads(content["options"]))
    network.load_state_dict(content["state_dict"])
    assert metadata.spec.codec == codec_name(network)
    assert metadata.spec.entropy_model == integer_entropy_model(network).pack()


@pytest.mark.parametrize("quality", [0, 2])
@pytest.mark.parametrize("slices", [(), (4, 12)])
def test_integers_say_what_the_network_says(quality, slices):
    torch.manual_seed(0)
    network = build_model("hyperprior", latents=16, slices=slices)
    hyper_symbols = torch.randint(-6, 7, (1, 32, 5, 3))
    symbols = torch.randint(-6, 7, (1, 16, 20, 12))
    with torch.inference_mode():
        log_gains = network.log_gains[quality][:, None, None]
        hyper_gains = network.hyper_log_gains[quality].exp()[:, None, None]
        features = network.hyper_synthesis[:-1](hyper_symbols / hyper_gains)
        index, mean = network.hyper_synthesis[-1](features).chunk(2, dim=1)
        for context in network.contexts:
            decoded = (symbols[:, :4] + RESTORED_SHIFT * symbols[:, :4].sign()) / log_gains[:4].exp() + mean
            further = context(torch.cat([features, decoded], dim=1)).chunk(2, dim=1)
            index, mean = torch.cat([index, further[0]], dim=1), torch.cat([mean, further[1]], dim=1)
        index = index + (log_gains - np.log(LEAST_SCALE)) / SCALE_STEP
    tables, means = np.zeros((16, 20, 12), np.uint8), np.zeros((16, 20, 12), np.float32)

    def code(strip):
        tables[strip.channels, strip.rows], means[strip.channels, strip.rows] = strip.tables, strip.means
        return symbols[0, strip.channels, strip.rows].numpy()

    integer_entropy_model(network).each_strip(hyper_symbols[0].numpy().astype(np.int32), quality, code)
    assert np.abs(means - mean[0].numpy()).max() < 0.1 * mean.std()
    assert np.abs(tables - index[0].clamp(0, SCALE_COUNT - 1).numpy()).max() < 0.6


def test_slices_are_all_of_the_latents():
    with pytest.raises(InputError, match="make 16 together"):
        build_model("hyperprior", latents=16, slices=(4, 8))


def test_the_bits_that_training_counts_are_those_of_the_file(halves, trained):
    """Up to the padding, the header and the lanes, and what int8 costs in the entropy model."""
    content = torch.load(trained, weights_only=True)
    network = build_model(content["model"], **json.loads(content["options"]))
    network.load_state_dict(content["state_dict"])
    pixels = np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8)
    with torch.inference_mode():
        image = torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)
        counted = network.code(image, torch.tensor([1]), noisy=False)
    with edgevision.load(halves / "encoder.onnx") as compress, edgevision.load(halves / "decoder.onnx") as decompress:
        compressed = compress(pixels, quality=2)
        restored = decompress(compressed)
    assert len(compressed.content) * 8 == pytest.approx(float(counted.bits), rel=0.02, abs=8 * 80)
    expected = 255 * counted.image[0].clamp(0, 1).numpy().transpose(1, 2, 0)
    # Now and then a latent near the middle between two integers becomes the other.
    assert np.abs(restored.pixels - expected).mean() < 1


def test_every_engine_reads_the_same_bits(halves, trained, tmp_path, photos):
    pytest.importorskip("openvino")
    for part in ("encoder", "decoder"):
        edgevision.export(trained, tmp_path / f"{part}.xml", part=part, format="openvino", precision="fp16")
    for encoder in (halves / "encoder.onnx", tmp_path / "encoder.xml"):
        with edgevision.load(encoder) as compress:
            content = compress(photos / "0.png").content
        latents, pictures = [], []
        for decoder in (halves / "decoder.onnx", tmp_path / "decoder.xml"):
            with edgevision.load(decoder) as decompress:
                latents.append(decompress.latents(EvcFile.read(content)))
                pictures.append(decompress(content).pixels.astype(int))
        assert np.array_equal(*latents), "to the last bit"
        assert np.abs(pictures[0] - pictures[1]).max() <= 1


@pytest.fixture(scope="module")
def int8_halves(halves, photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("int8-halves")
    few = folder / "photos"
    few.mkdir()
    for photo in sorted(photos.iterdir())[:6]:
        shutil.copy(photo, few)
    # Nothing is timed for a machine that is not this one.
    elsewhere = next(name for name in ("x86-vnni", "arm64-dotprod") if not is_this_machine(find_target(name)))
    for part, other in (("encoder", "decoder"), ("decoder", "encoder")):
        settings = QuantizationSettings(
            calibration=few,
            max_drop=50,
            preset=Preset.QUICK,
            engine=EngineChoice.ONNXRUNTIME,
            target=elsewhere,
            evaluation=EvaluationOptions(judge=halves / f"{other}.onnx"),
        )
        path = folder / f"{part}.onnx"
        report = edgevision.export(halves / path.name, path, precision="int8", int8=settings)
        found = report.quantization
        assert (found.outcome, found.metric, found.unit) == (Outcome.INT8, "psnr", "dB")
    return folder


def test_what_an_int8_half_wrote_holds_the_same_symbols_for_int8_and_float(halves, int8_halves, photos):
    pictures = []
    for encoder in (halves, int8_halves):
        with edgevision.load(encoder / "encoder.onnx") as compress:
            content = compress(photos / "0.png").content
        found = []
        for decoder, devices in ((halves, ("ort:cpu",)), (int8_halves, ("ort:cpu", "openvino:cpu"))):
            for device in devices:
                if device.startswith("openvino") and not find_spec("openvino"):
                    continue
                with edgevision.load(decoder / "decoder.onnx", device) as decompress:
                    found.append(decompress.latents(EvcFile.read(content)))
                    pictures.append(decompress(content).pixels.astype(int))
        assert len(found) > 1
        assert all(np.array_equal(latents, found[0]) for latents in found), "to the last bit"
    # A network of four steps does little with its latents, but int8 does the same.
    assert max(np.abs(picture - pictures[0]).mean() for picture in pictures) < 4


def test_the_halves_are_verified_against_the_checkpoint(halves, trained):
    for part in ("encoder", "decoder"):
        verify(halves / f"{part}.onnx", trained)


def test_the_decoder_learns_alone_from_what_a_file_holds(trained, photos, tmp_path):
    settled = edgevision.train(
        "compress",
        photos,
        tmp_path / "run",
        start_from=str(trained),
        decoder_only=True,
        steps=2,
        validate_every=2,
        ema=0.0,
        quiet=True,
        **SMALL,
    )
    before, after = (torch.load(path, weights_only=True)["state_dict"] for path in (trained, settled))
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"hyper_synthesis", "contexts", "hyper_scales", "synthesis"}


def test_a_codec_is_exported_in_halves(trained, tmp_path):
    with pytest.raises(InputError, match="--part encoder"):
        edgevision.export(trained, tmp_path / "whole.onnx")


def test_quality_is_measured_with_the_other_half(halves, photos):
    with edgevision.load(halves / "encoder.onnx") as compress:
        report = edgevision.evaluate(compress, photos, judge=halves / "decoder.onnx", held_out=True, quiet=True)
        assert 0 < report.images < 30
        assert [set(one) for one in report.qualities] == [{"bits_per_pixel", "psnr", "ssim"}] * 2
        assert "quality" in report.table()


def test_crops_are_the_same_for_a_key_and_gray_where_asked(photos):
    settings = CompressionSettings(data=(str(photos),), gray=1.0, crop=64, batch_size=3)
    crops = CompressionCrops(Photos(settings.data, held_out=False, quiet=True), settings)
    one, again, other = (crops[key]["image"] for key in ((0, 0, 0), (0, 0, 0), (0, 1, 0)))
    assert (one.shape, one.dtype) == ((3, 3, 64, 64), torch.float32)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(one[:, 0], one[:, 2])
    judged = crops[VALIDATION, 0, 0]["image"]
    assert not torch.equal(judged[:, 0], judged[:, 2])


@pytest.mark.parametrize(
    ("given", "telling"),
    [
        ({"distortion_weights": (0.02, 0.01)}, "rise from quality to quality"),
        ({"distortion_weights": ()}, "rise from quality to quality"),
        ({"gray": 2.0}, "gray"),
        ({"decoder_only": True}, "start-from"),
        ({"zoom": 0.0}, "zoom"),
        ({"crop": 100}, "multiple of 64"),
        ({"model": "dncnn"}, "hyperprior"),
    ],
)
def test_settings_that_cannot_be_are_refused(given, telling, photos, tmp_path):
    with pytest.raises(InputError, match=telling):
        edgevision.train("compress", photos, tmp_path / "run", steps=2, validate_every=2, quiet=True, **(SMALL | given))
