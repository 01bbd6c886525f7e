"""The project's own restoration checkpoints become models that restore what the checkpoints do."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import edgevision
from edgevision.core.errors import EdgevisionError
from edgevision.data.hole_kinds import HoleKind
from edgevision.exporters.checkpoints import read_checkpoint
from edgevision.exporters.export import export
from edgevision.exporters.report import ExportReport
from edgevision.exporters.torch_engine import TorchEngine
from edgevision.exporters.verify import VerificationReport, verify
from edgevision.metrics.figures import psnr_db
from edgevision.modelfiles.metadata import Color, ImageSpec, ModelMetadata, Precision, Resize, TensorSpec, TileSpec
from edgevision.models import MODELS, RestorationUNet, build_model
from edgevision.runtime.load import build_pipeline
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationSpec
from edgevision.training.checkpoint import save_checkpoint

Exported = Callable[[str, str], tuple[Path, ExportReport]]

TASKS = ["inpaint", "denoise", "upscale", "brighten"]
NETWORKS = {
    "inpaint": ("tiny_unet", {"shuffle": 1, "mask_input": True}),
    "denoise": ("tiny_unet", {"shuffle": 2}),
    "upscale": ("subpixel", {"scale": 2, "width": 4, "depth": 3}),
    "brighten": ("curves", {"iterations": 2, "width": 4}),
}
DYNAMIC = ("batch", "height", "width")

each_task = pytest.mark.parametrize("task", TASKS)


def image_input(color: Color = Color.RGB, sides: tuple[int | str, ...] = ("height", "width")) -> TensorSpec:
    return TensorSpec(name="image", shape=("batch", color.channels, *sides), value_range=(0, 1))


METADATA = {
    "inpaint": ModelMetadata(
        task="inpaint",
        name="tiny",
        inputs=(
            image_input(),
            TensorSpec(name="mask", shape=("batch", 1, "height", "width"), value_range=(0, 1)),
        ),
        outputs=(TensorSpec(name="restored_image", shape=("batch", 3, "height", "width")),),
        image=ImageSpec(),
        spec=RestorationSpec(),
        tile=TileSpec(multiple=2),
    ),
    "denoise": ModelMetadata(
        task="denoise",
        name="tiny",
        inputs=(image_input(),),
        outputs=(TensorSpec(name="restored_image", shape=("batch", 3, "height", "width")),),
        image=ImageSpec(),
        spec=RestorationSpec(),
        tile=TileSpec(multiple=4),
    ),
    "upscale": ModelMetadata(
        task="upscale",
        name="tiny",
        inputs=(image_input(Color.LUMA),),
        outputs=(TensorSpec(name="restored_image", shape=("batch", 1, "2*height", "2*width")),),
        image=ImageSpec(color=Color.LUMA),
        spec=RestorationSpec(scale=2),
        tile=TileSpec(),
    ),
    "brighten": ModelMetadata(
        task="brighten",
        name="tiny",
        inputs=(image_input(sides=(32, 32)),),
        outputs=(TensorSpec(name="curves", shape=("batch", 6, 4, 4)),),
        image=ImageSpec(size=(32, 32), resize=Resize.STRETCH),
        spec=RestorationSpec(predicts=Prediction.CURVES),
    ),
}


@pytest.fixture(scope="module", autouse=True)
def tiny_unet() -> Iterator[None]:
    """A U-Net of two scales with a handful of channels in the table of networks."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(MODELS, "tiny_unet", partial(RestorationUNet, widths=(4, 8), blocks=(1, 1)))
        yield


@pytest.fixture(scope="module")
def checkpoints(tiny_unet: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each task a checkpoint of random weights, as training writes it."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    for task, (model, options) in NETWORKS.items():
        network = build_model(model, **options)
        for parameter in network.parameters():
            # Before training the last layer is zero.
            if not parameter.any():
                nn.init.normal_(parameter, std=0.05)
        save_checkpoint(folder / f"{task}.pt", network, METADATA[task], model=model, options=options)
    return {task: folder / f"{task}.pt" for task in NETWORKS}


@pytest.fixture(scope="module")
def exported_restorer(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A checkpoint exported in a format, with the report; the files must not be changed."""
    folder = tmp_path_factory.mktemp("restorers")
    done: dict[tuple[str, str], tuple[Path, ExportReport]] = {}

    def make(task: str, model_format: str = "onnx") -> tuple[Path, ExportReport]:
        if (task, model_format) not in done:
            path = folder / f"{task}{'.onnx' if model_format == 'onnx' else '.xml'}"
            done[task, model_format] = path, export(checkpoints[task], path, format=model_format)
        return done[task, model_format]

    return make


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A picture with edges whose sides are no multiple of anything."""
    rows, columns = np.mgrid[:41, :51]
    levels = 60 + 80 * ((rows // 9 + columns // 11) % 2) + columns
    noise = np.random.default_rng(0).integers(0, 20, (41, 51, 3))
    return (levels[:, :, None] + noise).astype(np.uint8)


@pytest.fixture(scope="module")
def pictures(picture: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(3):
        Image.fromarray(np.roll(picture, 5 * index, axis=(0, 1))).save(folder / f"{index}.png")
    return folder


def restore(pipeline, task: str, picture: np.ndarray) -> np.ndarray:
    if task != "inpaint":
        return pipeline(picture).pixels
    holes = np.zeros(picture.shape[:2], np.bool_)
    holes[10:16, 5:40] = holes[::7, ::5] = True
    return pipeline(picture, holes).pixels


@each_task
@pytest.mark.parametrize("model_format", ["onnx", "openvino"])
def test_a_model_restores_a_picture_as_its_checkpoint_does(
    exported_restorer: Exported,
    checkpoints: dict[str, Path],
    picture: np.ndarray,
    task: str,
    model_format: str,
) -> None:
    path, report = exported_restorer(task, model_format)
    network = read_checkpoint(checkpoints[task]).network
    engine = TorchEngine(network, report.metadata.inputs, report.metadata.outputs)
    with build_pipeline(engine, report.metadata) as original:
        expected = restore(original, task, picture)
    with edgevision.load(path) as pipeline:
        found = restore(pipeline, task, picture)
    scale = 2 if task == "upscale" else 1
    assert found.shape == (41 * scale, 51 * scale, 3)
    assert found.dtype == np.uint8
    # At most a value here and there that was rounded the other way.
    assert psnr_db(np.float32(expected / 255), np.float32(found / 255)) > 70
    if task != "upscale":
        assert not np.array_equal(found, picture)


@each_task
def test_the_metadata_of_the_checkpoint_is_kept_and_completed(exported_restorer: Exported, task: str) -> None:
    report = exported_restorer(task, "onnx")[1]
    own, metadata = METADATA[task], report.metadata
    assert report.notes == ()
    assert report.dynamic == DYNAMIC
    assert (metadata.task, metadata.image, metadata.spec) == (task, own.image, own.spec)
    assert [spec.name for spec in metadata.inputs] == [spec.name for spec in own.inputs]
    assert [spec.value_range for spec in metadata.inputs] == [(0, 1)] * len(own.inputs)
    assert [spec.name for spec in metadata.outputs] == [spec.name for spec in own.outputs]
    if task == "brighten":
        assert metadata.tile is None
        return
    assert [spec.shape[1] for spec in (*metadata.inputs, *metadata.outputs)] == [
        spec.shape[1] for spec in (*own.inputs, *own.outputs)
    ]
    assert metadata.tile is not None
    assert own.tile is not None
    assert metadata.tile.multiple == own.tile.multiple
    assert metadata.tile.overlap is not None
    assert metadata.tile.overlap % metadata.tile.multiple == 0
    assert metadata.tile.memory is not None


def test_both_inputs_of_an_inpainting_model_are_dynamic(exported_restorer: Exported) -> None:
    image, mask = exported_restorer("inpaint", "onnx")[1].metadata.inputs
    assert all(isinstance(side, str) for side in (image.shape[0], *image.shape[2:]))
    assert (mask.shape[0], *mask.shape[2:]) == (image.shape[0], *image.shape[2:])


@each_task
def test_a_checkpoint_and_its_model_restore_equally_well(
    exported_restorer: Exported, checkpoints: dict[str, Path], pictures: Path, task: str
) -> None:
    path, _ = exported_restorer(task, "onnx")
    damage = EvaluationOptions(sigma=10, holes=HoleKind.PIXELS, seed=3)
    report = verify(path, checkpoints[task], data=pictures, evaluation=damage, samples=2, quiet=True)
    report.parity.check(Precision.FP32)
    assert report.parity.samples == 2
    assert report.parity.agreement is None
    before, after = report.checkpoint_quality, report.model_quality
    assert before is not None
    assert after is not None
    assert before.images == after.images == 3
    assert before.damage == after.damage
    assert before.before == after.before
    assert set(after.figures) >= {"psnr", "ssim"}
    for name, figure in before.figures.items():
        assert 0 < figure < 60
        assert after.figures[name] == pytest.approx(figure, abs=0.01 if name.startswith("psnr") else 1e-4)
    assert VerificationReport.from_dict(json.loads(json.dumps(report.to_dict()))).to_dict() == report.to_dict()


def test_the_damage_is_the_one_that_is_asked_for(
    exported_restorer: Exported, checkpoints: dict[str, Path], pictures: Path
) -> None:
    path, _ = exported_restorer("denoise", "onnx")
    found = {}
    for sigma in (5, 50):
        damage = EvaluationOptions(sigma=sigma)
        report = verify(path, checkpoints["denoise"], data=pictures, evaluation=damage, samples=1, quiet=True)
        assert report.model_quality is not None
        assert f"sigma {sigma}, seed 0" in report.model_quality.damage
        found[sigma] = report.model_quality.before["psnr"]
    # Ten times the noise, and a little less because the noisy picture is clipped.
    assert found[5] - found[50] == pytest.approx(20, abs=1.5)


def test_without_pictures_there_is_no_quality(exported_restorer: Exported, checkpoints: dict[str, Path]) -> None:
    report = verify(exported_restorer("inpaint", "onnx")[0], checkpoints["inpaint"], samples=5)
    report.parity.check(Precision.FP32)
    assert (report.checkpoint_quality, report.model_quality) == (None, None)
    assert report.parity.source == "seeded sampler, seed 0"


@pytest.mark.parametrize(
    ("task", "side", "reason"),
    [
        ("brighten", 64, "whose pictures are resized to 32x32"),
        ("denoise", 16, r"looks \d+ pixels far, so that its tiles have to be at least \d+"),
    ],
)
def test_a_static_shape_that_the_pipeline_cannot_use_is_refused(
    checkpoints: dict[str, Path], tmp_path: Path, task: str, side: int, reason: str
) -> None:
    with pytest.raises(EdgevisionError, match=reason):
        export(checkpoints[task], tmp_path / "static.onnx", static=(1, 3, side, side))
    assert list(tmp_path.iterdir()) == []
