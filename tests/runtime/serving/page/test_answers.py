"""What tasks answer beside pictures: labels, boxes, masks and points, drawn and named; and pictures from seeds."""

import json
from typing import Any

import numpy as np
import pytest

from edgevision.imaging.drawing import class_color
from edgevision.imaging.run_lengths import encode_mask
from tests.runtime.serving.page.actions import CAT, choose_task, download, open_picture, run


def _said(edgevision: Any, task: str) -> Any:
    """What the command line says of the cat."""
    return json.loads(edgevision("run", task, CAT, "--json", "--threads", 1)[1])["results"][0]


def test_a_label_is_the_command_lines(page, edgevision):
    open_picture(page)
    choose_task(page, "classify")
    run(page)
    predictions = _said(edgevision, "classify")["predictions"]
    assert page.locator("#answer .headline").inner_text().startswith(predictions[0]["label"])
    assert page.locator("#answer li span:first-child").all_inner_texts() == [each["label"] for each in predictions]
    name, content = download(page, "#download-json")
    assert name == "cat-classify.json"
    assert json.loads(content)["results"][0]["predictions"] == predictions


def test_boxes_are_counted_in_the_legend_and_hidden_by_it(page, edgevision):
    open_picture(page)
    choose_task(page, "detect")
    run(page)
    found = _said(edgevision, "detect")["detections"]
    legend = page.locator(".legend button")
    counts = [text.rsplit(" ", 1) for text in legend.all_inner_texts()]
    labels = [each["label"] for each in found]
    assert {label: int(count) for label, count in counts} == {label: labels.count(label) for label in labels}
    drawn = page.evaluate("document.getElementById('canvas').toDataURL()")
    legend.first.click()
    assert legend.first.get_attribute("aria-pressed") == "false"
    page.wait_for_timeout(80)
    assert page.evaluate("document.getElementById('canvas').toDataURL()") != drawn


def test_the_drawn_picture_is_that_of_the_command_line(page, edgevision, tmp_path):
    open_picture(page)
    choose_task(page, "segment")
    run(page)
    written = tmp_path / "drawn.jpg"
    assert edgevision("run", "segment", CAT, "-o", written, "--threads", 1)[0] == 0
    name, content = download(page)
    assert name == "cat-segment.jpg"
    assert content == written.read_bytes()


def test_points_are_drawn_over_the_picture(page):
    open_picture(page)
    choose_task(page, "keypoints")
    page.wait_for_timeout(80)
    plain = page.evaluate("document.getElementById('canvas').toDataURL()")
    run(page)
    page.wait_for_timeout(80)
    assert page.evaluate("document.getElementById('canvas').toDataURL()") != plain


def test_the_same_seed_draws_what_the_command_line_draws(page, edgevision, tmp_path):
    choose_task(page, "generate")
    page.fill("#option-count", "4")
    page.fill("#option-seed", "7")
    page.select_option("#option-class", "horse")
    page.fill("#option-truncation", "0.7")
    run(page)
    written = tmp_path / "horses.png"
    asked = ("--count", "4", "--seed", "7", "--class", "horse", "--truncation", "0.7", "--threads", "1")
    assert edgevision("run", "generate", *asked, "-o", written)[0] == 0
    name, content = download(page)
    assert name == "generate.png"
    assert content == written.read_bytes()


def test_the_way_from_one_seed_to_another_is_the_command_lines(page, edgevision, tmp_path):
    choose_task(page, "generate")
    page.fill("#option-count", "4")
    page.fill("#option-interpolate", "3:7")
    run(page)
    written = tmp_path / "way.png"
    asked = ("--count", "4", "--interpolate", "3:7", "--threads", "1")
    assert edgevision("run", "generate", *asked, "-o", written)[0] == 0
    assert download(page) == ("generate.png", written.read_bytes())


def test_an_option_that_cannot_be_is_said_at_its_field(page):
    choose_task(page, "generate")
    page.fill("#option-count", "0")
    page.click("#run")
    assert page.locator("#option-count").get_attribute("aria-invalid") == "true"
    assert page.locator("#option-count-problem").inner_text()
    assert page.evaluate("document.activeElement.id") == "option-count"


def test_what_ran_where_and_how_long_stands_beside_the_result(page):
    open_picture(page)
    choose_task(page, "brighten")
    run(page)
    names, values = (page.locator(f"#run-facts {kind}").all_inner_texts() for kind in ("dt", "dd"))
    facts = dict(zip(names, values, strict=True))
    assert facts["Model"] == "brighten"
    assert "cpu" in facts["Ran on"]
    assert "infer" in page.locator("#timings").inner_text()
    assert page.locator("#card-limits").inner_text() != ""


def test_figures_of_a_model_have_their_names_and_units(page):
    choose_task(page, "segment")
    page.wait_for_selector("#card-facts:has-text('mIoU')")
    shown = page.inner_text("#card-facts").split("\n")
    assert {"mIoU", "IoU, person"} <= set(shown)
    assert shown[shown.index("mIoU") + 1].endswith(" %")
    choose_task(page, "upscale")
    page.wait_for_selector("#card-facts:has-text('PSNR')")
    shown = page.inner_text("#card-facts").split("\n")
    assert shown[shown.index("PSNR, in training") + 1].endswith(" dB")


def test_classes_have_the_colours_of_the_command_lines_drawings(page):
    colors = page.evaluate(
        "import('/page/palette.js').then(({ classColor }) => [...Array(30).keys()].map((index) => classColor(index)))"
    )
    ours = np.array([class_color(index) for index in range(30)])
    assert np.abs(np.array(colors) - ours).max() <= 1  # halves are rounded in two ways


@pytest.mark.parametrize("compressed", [True, False])
def test_masks_are_decoded_as_python_encodes_them(page, compressed):
    mask = np.random.default_rng(0).random((37, 53)) < 0.3
    mask[5:20, 10:40] = True
    runs: dict[str, Any] = dict(encode_mask(mask, mask.shape))
    if not compressed:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.T.ravel(), [0]])))
        runs["counts"] = np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()
    visited = page.evaluate(
        """async (runs) => {
          const { visitMask } = await import("/page/run_lengths.js");
          const places = [];
          visitMask(runs, (place) => places.push(place));
          return places;
        }""",
        runs,
    )
    assert sorted(visited) == np.flatnonzero(mask).tolist()
