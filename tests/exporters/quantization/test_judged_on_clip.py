"""`--judge-by hota`: all pictures calibrate, a clip is judged on, and what cannot be judged so is refused in words."""

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

pytest.importorskip("scipy")

from edgevision.core.errors import InputError
from edgevision.exporters.quantization.calibration import Amount, check_judge_by, collect_calibration_data
from edgevision.exporters.quantization.time_budget import TimeBudget
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec
from edgevision.runtime.tasks.classification.spec import ClassificationSpec
from edgevision.runtime.tasks.detection.spec import DetectionSpec, Field, HeadSpec, OutputPart
from edgevision.runtime.tasks.evaluation import EvaluationOptions

HEAD = HeadSpec(parts=(OutputPart(outputs=("rows",), fields=(Field.BOX, Field.SCORE)),))
FINDER = ModelMetadata(
    task="detect",
    name="finder",
    inputs=(TensorSpec(name="image", shape=(1, 3, 16, 16)),),
    image=ImageSpec(size=(16, 16)),
    spec=DetectionSpec(head=HEAD, labels=("car",)),
)


def finder():
    """It finds one thing at the same place in any picture."""
    rows = np.array([[[2, 2, 10, 10, 0.9]]], np.float32)
    return FakeEngine(FINDER.inputs, (TensorSpec(name="rows", shape=(1, "n", 5)),), lambda inputs: [rows])


@pytest.fixture
def clip(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in range(4):
        Image.new("RGB", (16, 16)).save(folder / f"{number}.png")
    (tmp_path / "gt.txt").write_text("".join(f"{frame},1,2,2,8,8\n" for frame in range(1, 5)))
    return folder


@pytest.mark.parametrize("form", ["folder", "npz"])
def test_a_clip_is_judged_on_and_everything_calibrates(tmp_path, clip, form):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(12):
        Image.new("RGB", (16, 16), (number,) * 3).save(pictures / f"{number}.png")
    np.savez(tmp_path / "inputs.npz", image=np.zeros((12, 3, 16, 16), np.float32))
    collected = collect_calibration_data(
        FINDER,
        (3, 16, 16),
        finder(),
        calibration=pictures if form == "folder" else tmp_path / "inputs.npz",
        data=clip,
        evaluation=EvaluationOptions(),
        amount=Amount(pictures=(100, 100), crops=(1, 1), latents=(1, 1)),
        seed=0,
        judge_by="hota",
    )
    assert sum(len(batch[0]) for portion in collected.portions for batch in portion) == 12
    assert collected.source.startswith("12 ")
    assert collected.source.endswith(", judged on clip")
    assert collected.notes == ()
    measure = collected.judge(TimeBudget(60))
    assert measure.metric == "hota"
    assert measure(finder()).figures["hota"] == pytest.approx(100)


def test_what_has_no_tracks_is_not_judged_by_them(tmp_path):
    classifier = ModelMetadata(task="classify", name="tiny", spec=ClassificationSpec(labels=("a", "b")))
    check_judge_by(classifier, None, None)
    with pytest.raises(InputError, match="is for models that detect, and this one is for classify: leave it out"):
        check_judge_by(classifier, "hota", tmp_path)


def test_a_clip_has_to_be_given():
    with pytest.raises(InputError, match="needs a clip: give --data with a video or a folder"):
        check_judge_by(FINDER, "hota", None)
