"""``edgevision run translate`` and ``evaluate`` on files, with a network that draws the negative."""

import json

import numpy as np
import pytest
from onnx_writer import node, onnx_model
from PIL import Image

from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata
from edgevision.runtime.tasks.translation.spec import TranslationSpec


@pytest.fixture
def model(tmp_path):
    metadata = ModelMetadata(
        task="translate", name="negatives", image=ImageSpec(), spec=TranslationSpec(given="film", made="print")
    )
    shape = ("batch", 3, "height", "width")
    content = onnx_model(
        [node("Sub", ["one", "image"], ["print"])],
        {"image": shape},
        {"print": shape},
        {"one": np.float32([1])},
        metadata,
    )
    (tmp_path / "negatives.onnx").write_bytes(content)
    return tmp_path / "negatives.onnx"


@pytest.fixture
def films(tmp_path):
    """A gray film, another in colours, and a file that is none."""
    folder = tmp_path / "pairs" / "A"
    folder.mkdir(parents=True)
    Image.new("L", (12, 9), 40).save(folder / "gray.png")
    Image.new("RGB", (12, 9), (200, 10, 30)).save(folder / "red.png")
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def test_pictures_of_a_folder_are_translated_and_shown_beside_what_was_given(edgevision, model, films, tmp_path):
    made, compared = tmp_path / "made", tmp_path / "compared"
    command = ("run", "translate", films, "-m", model, "-o", made, "--compare", compared, "--json")
    code, out, _ = edgevision(*command)
    answer = json.loads(out)
    assert code == 1
    assert [failure["input"] for failure in answer["failures"]] == [str(films / "torn.png")]
    assert len(answer["results"]) == 2
    for name, color in (("gray.png", (215, 215, 215)), ("red.png", (55, 245, 225))):
        with Image.open(made / name) as image:
            np.testing.assert_array_equal(np.asarray(image), np.tile(np.uint8(color), (9, 12, 1)))
        with Image.open(compared / name) as image:
            assert image.width > 24


def test_pairs_are_evaluated(edgevision, model, films):
    (films / "torn.png").unlink()
    prints = films.parent / "B"
    prints.mkdir()
    Image.new("L", (12, 9), 215).save(prints / "gray.png")
    Image.new("RGB", (12, 9), (55, 245, 99)).save(prints / "red.png")
    code, out, _ = edgevision("evaluate", model, films.parent, "--json")
    answer = json.loads(out)
    assert code == 0
    assert [picture["name"] for picture in answer["pictures"]] == ["A/gray.png", "A/red.png"]
    assert answer["pictures"][1]["figures"]["psnr"] == pytest.approx(-20 * np.log10(126 / 255 / 3**0.5), abs=1e-3)
    assert answer["classifier_frechet"] is None
    _, out, _ = edgevision("inspect", model)
    assert "film to print" in out
