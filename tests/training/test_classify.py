"""Training a classifier from settings to the finished checkpoint; a few epochs on tiny pictures."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_runs import TRAINING_MARKS, assert_same_weights, history, load_checkpoint, train

from edgevision.core.errors import CollapseError, DatasetError, DeviceError, InputError, OutputError
from edgevision.imaging.preprocessing import Preprocessor
from edgevision.metrics.figures import confusion_matrix, precision_recall_f1
from edgevision.modelfiles.metadata import Color, ModelMetadata
from edgevision.models import build_model
from edgevision.training.classifier_module import ClassifierModule
from edgevision.training.classify import train_classifier
from edgevision.training.data import EpochBatches
from edgevision.training.digits import Digits
from edgevision.training.labelled_module import class_weights
from edgevision.training.settings import Augmentation, Balance, ClassifierSettings, Mix, MixedPrecision, Optimizer

pytestmark = TRAINING_MARKS

TWO_CLASSES = {"cat": 16, "dog": 16}


@pytest.fixture
def pictures(tmp_path: Path, write_class_folders) -> Path:
    return write_class_folders(tmp_path / "pictures", TWO_CLASSES)


def settings(data: Path | str, **changes: Any) -> ClassifierSettings:
    tiny: dict[str, Any] = {"model": "cnn3", "image_size": 8, "epochs": 2, "batch_size": 8, "workers": 0}
    return ClassifierSettings(**({"data": str(data)} | tiny | changes))


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(CollapseError, match=r"loss is (nan|inf); try a lower --learning-rate"):
        train(train_classifier, settings(pictures, learning_rate=1e30), tmp_path / "run")
    assert not (tmp_path / "run" / "cnn3.pt").exists()


def test_the_digits_are_learned_and_the_checkpoint_tells_how_well(tmp_path: Path) -> None:
    chosen = ClassifierSettings(
        model="cnn3", image_size=8, epochs=4, batch_size=64, learning_rate=0.01, augment=(Augmentation.SHIFT,)
    )
    loaded = train(train_classifier, chosen, tmp_path / "run")
    metadata = ModelMetadata.from_json(loaded["edgevision"])
    network = build_model(loaded["model"], **json.loads(loaded["options"])).eval()
    network.load_state_dict(loaded["state_dict"], strict=True)

    assert metadata.image is not None
    digits = Digits("test")
    images = np.stack([Preprocessor(metadata.image)(digits.image(i)) for i in range(len(digits))])
    with torch.inference_mode():
        predicted = network(torch.from_numpy(images)).argmax(1).numpy()
    matrix = confusion_matrix(digits.labels, predicted, 10)
    top1 = 100 * matrix.trace() / matrix.sum()
    assert top1 > 85
    # What the file says of itself is what anyone measures with the device's preprocessing, but for ties.
    assert metadata.quality["top1"] == pytest.approx(top1, abs=100 / len(digits))
    f1 = 100 * np.mean([score.f1 for score in precision_recall_f1(matrix, digits.class_names)])
    assert metadata.quality["f1"] == pytest.approx(f1, abs=200 / len(digits))

    assert (metadata.task, metadata.name, metadata.spec.labels) == ("classify", "cnn3", tuple("0123456789"))
    assert metadata.image.color is Color.GRAY
    assert metadata.inputs[0].shape == ("batch", 1, 8, 8)
    assert metadata.outputs[0].shape == ("batch", 10)
    assert metadata.provenance.data == "digits"
    assert metadata.provenance.versions.keys() >= {"edgevision", "torch"}
    epochs = history(tmp_path / "run")
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4]
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"]
    assert metadata.quality["val_f1"] == pytest.approx(max(epoch["val_f1"] for epoch in epochs), abs=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dropout": 0.3, "augment": tuple(Augmentation), "optimizer": Optimizer.SGD},
        {"balance": Balance.RESAMPLE, "label_smoothing": 0.1},
        {"mix": tuple(Mix), "balance": Balance.WEIGHTS},
    ],
    ids=["plain", "everything random", "resampled", "mixed"],
)
def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    tmp_path: Path, pictures: Path, changes: dict[str, Any]
) -> None:
    first, second, other = (
        train(train_classifier, settings(pictures, epochs=1, **changes, seed=seed), tmp_path / name)
        for name, seed in (("a", 4), ("b", 4), ("c", 5))
    )
    assert_same_weights(first, second)
    assert all(not torch.equal(t, other["state_dict"][n]) for n, t in first["state_dict"].items() if t.ndim > 1)


def command(data: Path, folder: Path, *more: str) -> list[str]:
    fixed = [
        "--model",
        "cnn3",
        "--image-size",
        "8",
        "--batch-size",
        "8",
        "--augment",
        "shift",
        "--augment",
        "flip",
        "--dropout",
        "0.2",
    ]
    return [
        sys.executable,
        "-m",
        "edgevision",
        "train",
        "classify",
        "--data",
        str(data),
        "-o",
        str(folder),
        *fixed,
        *more,
    ]


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupted_training_is_resumed_to_the_same_bits(tmp_path: Path, pictures: Path) -> None:
    epochs = 16  # enough that the signal arrives long before the end
    folder = tmp_path / "interrupted"
    arguments = command(pictures, folder, "--epochs", str(epochs))
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 2 of"):  # by now what the first epoch left is on disk
                process.send_signal(signal.SIGINT)
                break
        _, err = process.communicate()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert (folder / "last.ckpt").is_file()
    assert not (folder / "cnn3.pt").exists()
    assert len(history(folder)) < epochs
    assert not list(folder.glob(".edgevision-*"))

    chosen = ClassifierSettings.from_dict(json.loads((folder / "settings.json").read_text()))
    with pytest.raises(InputError, match=f"unfinished training with epochs {epochs}, not 3"):
        train_classifier(ClassifierSettings(**(vars(chosen) | {"epochs": 3})), folder, quiet=True)

    resumed = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == f"{folder / 'cnn3.pt'}\n"
    assert "resuming" in resumed.stderr
    assert "epoch 1 of" not in resumed.stderr
    assert_same_weights(
        load_checkpoint(folder / "cnn3.pt"), train(train_classifier, chosen, tmp_path / "uninterrupted")
    )
    # The last epoch, not only the best, must agree.
    last, reference = (
        torch.load(run / "last.ckpt", weights_only=False)["state_dict"] for run in (folder, tmp_path / "uninterrupted")
    )
    assert all(torch.equal(last[name], reference[name]) for name in reference)


def test_two_processes_train_one_model(tmp_path: Path, pictures: Path) -> None:
    folder = tmp_path / "run"
    environment = {name: value for name, value in os.environ.items() if "RANK" not in name}
    done = subprocess.run(
        command(pictures, folder, "--epochs", "2", "--devices", "2"),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{folder / 'cnn3.pt'}\n"  # from one of them only
    assert "Traceback" not in done.stderr
    assert [epoch["epoch"] for epoch in history(folder)] == [1, 2]
    assert sorted(path.name for path in folder.glob("*.pt")) == ["cnn3.pt"]
    loaded = load_checkpoint(folder / "cnn3.pt")
    build_model("cnn3", **json.loads(loaded["options"])).load_state_dict(loaded["state_dict"], strict=True)
    # 28 of 32 pictures are trained on: each process has 14, one whole batch of 8 an epoch.
    assert torch.load(folder / "last.ckpt", weights_only=False)["global_step"] == 2


def test_a_finished_folder_is_refused_and_force_trains_it_again(tmp_path: Path, pictures: Path) -> None:
    first = train(train_classifier, settings(pictures, epochs=1), tmp_path / "run")
    with pytest.raises(OutputError, match="finished already; --force"):
        train_classifier(settings(pictures, epochs=1), tmp_path / "run", quiet=True)
    second = train(train_classifier, settings(pictures, epochs=1, seed=1), tmp_path / "run", force=True)
    assert len(history(tmp_path / "run")) == 1
    assert not torch.equal(*(next(iter(run["state_dict"].values())) for run in (first, second)))


def test_training_stops_when_f1_no_longer_rises(tmp_path: Path, pictures: Path) -> None:
    chosen = settings(pictures, epochs=40, patience=2, learning_rate=1e-12)  # nothing is learned at this rate
    train(train_classifier, chosen, tmp_path / "run")
    assert len(history(tmp_path / "run")) == 3


def test_a_val_and_a_test_part_are_used_where_there_are_some(tmp_path: Path, write_class_folders) -> None:
    counts = {f"{split}/{name}": n for split, n in (("train", 12), ("val", 5), ("test", 3)) for name in ("cat", "dog")}
    loaded = train(
        train_classifier, settings(write_class_folders(tmp_path / "data", counts), epochs=8), tmp_path / "run"
    )
    quality = ModelMetadata.from_json(loaded["edgevision"]).quality
    assert quality.keys() == {"val_top1", "val_f1", "top1", "f1"}
    assert quality["top1"] == 100  # one bright quarter a class is easily learned
    assert loaded["state_dict"]["classifier.3.weight"].shape[0] == 2


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_part_with_other_classes_is_refused(tmp_path: Path, write_class_folders, split: str) -> None:
    counts = {"train/cat": 4, "train/dog": 4, "train/owl": 4, f"{split}/cat": 2, f"{split}/dog": 2}
    with pytest.raises(DatasetError, match=f"other classes in its {split} split"):
        train_classifier(settings(write_class_folders(tmp_path / "data", counts)), tmp_path / "run", quiet=True)


def test_a_test_part_without_classes_gives_no_figures(tmp_path: Path, write_class_folders) -> None:
    root = write_class_folders(tmp_path / "data", {"train/cat": 6, "train/dog": 6})
    (root / "test").mkdir()
    (root / "test" / "a.png").write_bytes((root / "train" / "cat" / "000.png").read_bytes())
    loaded = train(train_classifier, settings(root, epochs=1), tmp_path / "run")
    assert ModelMetadata.from_json(loaded["edgevision"]).quality.keys() == {"val_top1", "val_f1"}


@pytest.mark.parametrize("counts", [{"cat": 5}, {"train/cat": 5, "test/cat": 2}])
def test_data_with_one_class_is_refused(tmp_path: Path, write_class_folders, counts: dict[str, int]) -> None:
    with pytest.raises(DatasetError, match="1 class folders; a classifier needs two"):
        train_classifier(settings(write_class_folders(tmp_path / "data", counts)), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "resnet21"}, "no model 'resnet21'; known: cnn2"),
        ({"model_options": {"depth": 3}}, "no option 'depth'"),
        ({"model_options": {"num_classes": 3}}, "gives num_classes 3"),
        ({"image_size": 1}, "image_size must leave a pixel"),
    ],
)
def test_a_network_that_cannot_be_built_leaves_no_folder_behind(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train_classifier(ClassifierSettings(**changes), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_fp16_without_a_gpu_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="fp16 needs a GPU"):
        train_classifier(ClassifierSettings(precision=MixedPrecision.FP16), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_damaged_picture_is_named_and_the_others_are_learned(
    tmp_path: Path, pictures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("dog/003.png", "dog/000.png"):
        (pictures / path).write_bytes(b"damaged")
    assert train_classifier(settings(pictures, epochs=1), tmp_path / "run", quiet=True) is not None
    assert "cannot be read and are left out" in caplog.text
    assert "'dog/003.png'" in caplog.text


def test_a_test_part_that_cannot_be_read_costs_its_figures_alone(tmp_path: Path, write_class_folders) -> None:
    root = write_class_folders(tmp_path / "data", {"train/cat": 8, "train/dog": 8, "test/cat": 2, "test/dog": 2})
    for path in (root / "test").rglob("*.png"):
        path.write_bytes(b"damaged")
    result = train_classifier(settings(root, epochs=1), tmp_path / "run", quiet=True)
    assert result is not None
    assert "top1" not in ModelMetadata.from_json(load_checkpoint(result)["edgevision"]).quality


def test_a_class_of_which_nothing_can_be_read_is_refused_before_the_first_step(tmp_path: Path, pictures: Path) -> None:
    for path in (pictures / "dog").iterdir():
        path.write_bytes(b"damaged")
    with pytest.raises(DatasetError, match=r"no picture of the class 'dog' that can be read|none of \d+ pictures"):
        train_classifier(settings(pictures), tmp_path / "run", quiet=True)


@pytest.mark.parametrize("counts", [{"cat": 1, "dog": 2}, {"cat": 1, "dog": 5}])
def test_a_class_with_one_picture_is_learned_and_not_validated_on(
    tmp_path: Path, write_class_folders, counts: dict[str, int]
) -> None:
    root = write_class_folders(tmp_path / "data", counts)
    assert train_classifier(settings(root, epochs=1), tmp_path / "run", quiet=True) is not None


def test_the_other_pictures_cannot_resume_a_training(tmp_path: Path, pictures: Path) -> None:
    chosen = settings(pictures, epochs=1, batch_size=2)
    train_classifier(chosen, tmp_path / "run", quiet=True)
    (tmp_path / "run" / "cnn3.pt").unlink()
    for path in sorted((pictures / "dog").iterdir())[:4]:
        path.unlink()
    with pytest.raises(InputError, match="the data now give"):
        train_classifier(chosen, tmp_path / "run", quiet=True)


def test_an_option_the_network_does_not_have_is_refused(tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(InputError, match="cnn3 has no option 'shortcut'"):
        train_classifier(settings(pictures, model_options={"shortcut": "B"}), tmp_path / "run", quiet=True)


def test_class_weights_are_inverse_frequencies_and_1_on_average() -> None:
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    weights = class_weights(labels, 3)
    np.testing.assert_allclose(weights, [100 / 180, 100 / 90, 100 / 30])
    assert weights[labels].mean() == pytest.approx(1)
    assert np.isfinite(class_weights(labels, 4)).all()  # a class without pictures


def test_weights_enter_the_loss_and_nothing_else_does(tmp_path: Path) -> None:
    labels = np.repeat([0, 1], [30, 10])
    logits, wanted = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 1, 0, 1, 0])
    from edgevision.modelfiles.metadata import ImageSpec

    losses = {}
    for balance in Balance:
        module = ClassifierModule(
            torch.nn.Identity(), ClassifierSettings(balance=balance), ImageSpec(size=(8, 8)), labels, 2
        )
        losses[balance] = float(module._loss(logits, wanted, 0.0))
    each = -torch.log_softmax(logits, 1)[torch.arange(6), wanted]
    by_class = torch.tensor([40 / 60, 40 / 20])[wanted]
    assert losses[Balance.NONE] == pytest.approx(float(each.mean()), rel=1e-5)
    assert losses[Balance.RESAMPLE] == losses[Balance.NONE]
    assert losses[Balance.WEIGHTS] == pytest.approx(float((each * by_class).sum() / by_class.sum()), rel=1e-5)


def test_resampling_by_class_weights_evens_out_the_classes() -> None:
    labels = np.repeat([0, 1], [3600, 400])
    batches = EpochBatches(4000, 50, seed=0, shuffle=True, weights=class_weights(labels, 2)[labels])
    drawn = labels[[position for batch in batches for position in batch]]
    # Three standard deviations of a binomial share: 3 sqrt(1/4 / 4000) = 0.024.
    assert drawn.mean() == pytest.approx(0.5, abs=0.024)
