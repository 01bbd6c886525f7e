"""Figures on corrupted pictures, and of membership inference, through the verb that shows them."""

import json

import numpy as np
import pytest
from PIL import Image

from edgevision.data.corruptions import Corruption
from edgevision.data.datasets import ImageFolder
from edgevision.runtime.load import load
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


def test_the_verb_shows_the_attack(edgevision, write_colours, pictures) -> None:
    code, out, _ = edgevision("evaluate", write_colours(), pictures, "--privacy", pictures, "--json")
    assert code == 0
    assert json.loads(out)["privacy"]["members"] == 12
    code, out, _ = edgevision("evaluate", write_colours(), pictures, "--privacy", pictures)
    assert "membership inference (Yeom et al. 2018): advantage 0.0 points" in out
