"""Figures on corrupted pictures, and of membership inference, through the verb that shows them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevision.data.corruptions import Corruption
from edgevision.data.datasets import ImageFolder
from edgevision.modelfiles.model_file import read_metadata
from edgevision.runtime.load import load
from edgevision.runtime.tasks.classification.likelihood_ratio import Answers, likelihood_ratio, lower_share
from edgevision.runtime.tasks.classification.membership import evaluate_membership

COLOURS = ("red", "green", "blue")


@pytest.fixture
def pictures(tmp_path):
    """Of each colour four pictures in which it is a little stronger than the others, the less the later."""
    folder = tmp_path / "pictures"
    for place, colour in enumerate(COLOURS):
        (folder / colour).mkdir(parents=True)
        for index in range(4):
            pixels = np.full((8, 8, 3), 110, np.uint8)
            pixels[..., place] += 24 - 6 * index
            Image.fromarray(pixels).save(folder / colour / f"{index}.png")
    return folder


def test_a_classifier_is_judged_on_every_kind_in_every_strength(edgevision, write_colours, pictures) -> None:
    code, out, err = edgevision("evaluate", write_colours(), pictures, "--corruptions", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    found = document["corruptions"]
    assert found["figure"] == "top1"
    assert found["clean"] == document["top1"] == 100
    assert set(found["by_kind"]) == set(map(str, Corruption))
    every = [figure for row in found["by_kind"].values() for figure in row]
    assert len(every) == 25
    assert found["mean"] == pytest.approx(sum(every) / 25)
    # What is one colour stays it under blur and more light; noise takes it away.
    assert found["by_kind"]["blur"] == found["by_kind"]["brightness"] == [100] * 5
    assert min(found["by_kind"]["noise"]) < 100
    assert edgevision("evaluate", write_colours(), pictures, "--corruptions", "--json")[1] == out
    table = edgevision("evaluate", write_colours(), pictures, "--corruptions")[1]
    assert "top1 on corrupted pictures" in table


def test_a_model_without_such_a_figure_is_refused_before_it_is_evaluated(edgevision, pictures) -> None:
    code, out, err = edgevision("evaluate", "denoise", pictures, "--corruptions")
    assert (code, out) == (2, "")
    assert "--corruptions is for classify, detect" in err
    code, _, err = edgevision("evaluate", "denoise", pictures, "--privacy", pictures)
    assert code == 2
    assert "--privacy is for classifiers" in err


def test_an_advantage_is_one_where_only_members_are_known(write_colours, pictures, tmp_path) -> None:
    with load(write_colours()) as classify:
        members = ImageFolder(pictures)
        same = evaluate_membership(classify, members, members)
        assert same.advantage == 0
        assert same.auc == 0.5
        assert same.low < 0 < same.high
        assert "nothing that is beyond chance" in same.table()
        # Others are pictures of the wrong folder, on which every answer is wrong.
        wrong = tmp_path / "wrong"
        pictures.rename(wrong)
        (wrong / "red").rename(wrong / "aside")
        (wrong / "green").rename(wrong / "red")
        (wrong / "aside").rename(wrong / "green")
        (wrong / "blue").rename(wrong / "elsewhere")
        (wrong / "elsewhere").rename(tmp_path / "elsewhere")
        (wrong / "blue").mkdir()
        told = evaluate_membership(classify, members_of(tmp_path), ImageFolder(wrong))
        assert told.auc == 1
        # Of the members half are below their own mean loss.
        assert told.advantage == pytest.approx(np.mean(losses_below_mean(told.members)))
        assert "tells members from others" in told.table()


def members_of(folder) -> ImageFolder:
    for place, colour in enumerate(COLOURS):
        (folder / "members" / colour).mkdir(parents=True)
        for index in range(4):
            pixels = np.full((8, 8, 3), 110, np.uint8)
            pixels[..., place] += 24 + index % 2
            Image.fromarray(pixels).save(folder / "members" / colour / f"{index}.png")
    return ImageFolder(folder / "members")


def losses_below_mean(count: int) -> list[bool]:
    return [index % 2 == 1 for index in range(count)]


@pytest.fixture
def trained_on(pictures):
    """The same pictures, as the training part of a data set whose test part has none of one colour."""
    divided = pictures.parent / "divided"
    shutil.copytree(pictures, divided / "train")
    shutil.copytree(pictures, divided / "test")
    shutil.rmtree(divided / "test" / COLOURS[0])
    return divided


def test_the_verb_shows_the_attack(edgevision, write_colours, pictures, trained_on) -> None:
    code, out, _ = edgevision("evaluate", write_colours(), pictures, "--privacy", trained_on, "--json")
    assert code == 0
    assert json.loads(out)["privacy"]["members"] == 12
    code, out, _ = edgevision("evaluate", write_colours(), pictures, "--privacy", trained_on)
    assert "membership inference (Yeom et al. 2018): advantage 0.0 points" in out


def test_pictures_are_not_attacked_as_members_and_others_at_once(edgevision, write_colours, pictures) -> None:
    code, out, err = edgevision("evaluate", write_colours(), pictures, "--privacy", pictures)
    assert (code, out) == (2, "")
    assert "give those that the model was trained on" in err


def test_adversarial_pictures_mislead_and_what_was_found_is_recorded(edgevision, tmp_path, monkeypatch) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)

    class Mean(torch.nn.Module):
        """Bright or dark, by the mean of all pixels: half of the pictures lie three levels from the border."""

        def forward(self, x):
            brighter = 100 * (x.mean((1, 2, 3)) - 0.5)
            return torch.stack([brighter, -brighter], 1)

    class Corner(torch.nn.Module):
        """Another network for the same two classes, which is right as often."""

        def forward(self, x):
            brighter = 100 * (x[:, 0, 0, 0] - 0.5) ** 3
            return torch.stack([brighter, -brighter], 1)

    free = ({0: torch.export.Dim("count")},)
    networks = {"mean.pt2": Mean(), "pixels.pt2": torch.nn.Hardtanh(), "corner.pt2": Corner()}
    for name, network in networks.items():
        torch.export.save(torch.export.export(network, (torch.zeros(2, 3, 8, 8),), dynamic_shapes=free), name)
    for index in range(8):
        away = 3 if index % 2 else 100
        for name, level in (("bright", 128 + away), ("dark", 127 - away)):
            Path("data", name).mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), level).convert("RGB").save(f"data/{name}/{index}.png")
    export = ("--task", "classify", "--input-shape", "1x3x8x8", "--labels", "bright,dark")
    assert edgevision("export", "mean.pt2", *export, "-o", "mean.onnx", "--quiet")[0] == 0
    code, out, err = edgevision("evaluate", "mean.onnx", "data", "--adversarial", "mean.pt2", "--record", "--json")
    assert code == 0, err
    found = json.loads(out)["adversarial"]
    assert (found["images"], found["clean"], found["distances"]) == (16, 100, [1, 2, 4, 8])
    assert found["fgsm"] == found["pgd"] == [100, 100, 50, 50]
    code, out, err = edgevision("evaluate", "mean.onnx", "data", "--adversarial", "pixels.pt2")
    assert (code, out) == (2, "")
    assert "no score for each class, which an attack needs: 192 values for 2 classes" in err
    code, out, err = edgevision("evaluate", "mean.onnx", "data", "--adversarial", "corner.pt2")
    assert (code, out) == (2, "")
    assert "'mean' was not made from 'corner.pt2': its scores are those of another network" in err
    # Whoever saved it anew has another file of the same network.
    torch.export.save(torch.export.export(Mean(), (torch.ones(3, 3, 8, 8),), dynamic_shapes=free), "again.pt2")
    assert edgevision("evaluate", "mean.onnx", "data", "--adversarial", "again.pt2")[0] == 0
    quality = read_metadata(Path("mean.onnx")).quality
    assert (quality["fgsm_2_top1"], quality["pgd_8_top1"]) == (100, 50)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("classify", "--record"), "give one of them"),
        (("classify", "--shadow", "classify", "--shadow", "classify"), "--shadow is for --privacy"),
        (("classify", "--privacy", "pictures", "--shadow", "classify"), "twice at least"),
        (("denoise", "--adversarial", "net.pt"), "--adversarial is for classifiers"),
    ],
)
def test_options_that_need_others_say_so(edgevision, pictures, words, message) -> None:
    code, out, err = edgevision("evaluate", words[0], pictures, *words[1:])
    assert (code, out) == (2, "")
    assert message in err
    assert "fault of edgevision" not in err


def test_shadow_models_find_members_by_how_sure_they_should_be() -> None:
    generator = np.random.default_rng(0)
    hardness = [generator.normal(2, 3, 400), generator.normal(2, 3, 300)]  # of each picture, for every model alike

    def answers(surer: float) -> Answers:
        logits = [one + generator.normal(0, 1, len(one)) for one in hardness]
        return Answers(*(1 / (1 + np.exp(-(one + more))) for one, more in zip(logits, (surer, 0), strict=True)))

    shadows = [answers(0) for _ in range(4)]
    found = likelihood_ratio(answers(3), shadows)
    assert found.low > 0.7  # of normal distributions that lie 3 of 1.12 deviations apart it is 0.82
    assert found.auc > 0.95
    assert found.found_at_1 > 0.4
    nothing = likelihood_ratio(answers(0), shadows)
    assert nothing.low < 0 < nothing.high
    assert abs(nothing.auc - 0.5) < 0.05
    # By the loss alone those that are hard for every model hide what was learned.
    assert found.auc > 0.15 + lower_share(-answers(3).members, -answers(3).others)


def test_shadow_models_are_opened_for_the_attack(edgevision, write_colours, pictures, trained_on) -> None:
    model = write_colours()
    shadows = ("--shadow", model, "--shadow", model)
    code, out, err = edgevision("evaluate", model, pictures, "--privacy", trained_on, *shadows, "--json")
    assert code == 0, err
    found = json.loads(out)["privacy"]["likelihood_ratio"]
    assert (found["shadows"], found["auc"]) == (2, 0.5)
    assert "likelihood ratio" in edgevision("evaluate", model, pictures, "--privacy", trained_on, *shadows)[1]
