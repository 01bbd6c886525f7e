"""``edgevision diff`` names the layer where two models part, and the one that is to blame."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.numpy_helper import from_array, to_array
from watched_browser import check_report_page, open_browser

from edgevision.core.errors import DatasetError, InputError
from edgevision.exporters.comparison.diff import DiffReport, diff
from edgevision.exporters.conversion.openvino_conversion import write_openvino

Array = np.ndarray[Any, Any]
Call = Callable[..., tuple[int, str, str]]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NASTY = "<script>alert('ö')</script>&\"quoted\""


@pytest.fixture
def files(network: onnx.ModelProto, int8: onnx.ModelProto, inputs: Array, tmp_path: Path) -> Path:
    """A folder with both and inputs."""
    onnx.save(network, tmp_path / "float.onnx")
    onnx.save(int8, tmp_path / "int8.onnx")
    np.savez(tmp_path / "inputs.npz", x=inputs)
    return tmp_path


def changed(model: onnx.ModelProto, path: Path, **factors: float) -> Path:
    """A copy whose constants of these names are so many times as large."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = {tensor.name: tensor for tensor in copy.graph.initializer}
    for name, factor in factors.items():
        constants[name].CopyFrom(from_array(np.float32(factor) * to_array(constants[name]), name))
    onnx.save(copy, path)
    return path


def report(files: Path, second: Path | str, first: str = "float.onnx") -> DiffReport:
    return diff(files / first, files / second, data=files / "inputs.npz").report


def test_int8_parts_at_its_first_layer_and_no_layer_stands_out(files: Path) -> None:
    found = report(files, "int8.onnx")
    assert (found.parts_at, found.only_first, found.only_second) == ("one", (), ())
    assert [layer.by_name for layer in found.layers] == [True] * 7
    own = [layer.own.sqnr_db for layer in found.layers if layer.own.sqnr_db is not None]
    assert min(own) > 33
    assert found.outputs.samples == 8
    (output,) = found.outputs.outputs
    assert output.sqnr_db is not None
    assert 28 < output.sqnr_db < 60
    assert DiffReport.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize(
    ("constant", "factor", "layer"),
    [
        ("r_one_scale", 0.4, "relu_one"),
        ("r_one_scale", 9, "relu_one"),
        ("r_two_scale", 0.4, "relu_two"),
        ("r_two_scale", 9, "relu_two"),
        ("sum_scale", 9, "shortcut"),
        ("w_one_scale_of_one", 2, "one"),
        ("w_two_scale_of_two", 1.3, "two"),
        ("w_three_scale_of_three", 0.5, "three"),
        ("w_head_scale_of_head", 2, "head"),
    ],
)
def test_the_layer_whose_scale_was_corrupted_ranks_first(
    files: Path, int8: onnx.ModelProto, constant: str, factor: float, layer: str
) -> None:
    found = report(files, changed(int8, files / "corrupt.onnx", **{constant: factor}))
    assert found.adds_most[0] == layer
    worst, next_worst = (next(one for one in found.layers if one.name == name) for name in found.adds_most[:2])
    assert worst.own.sqnr_db is not None
    assert next_worst.own.sqnr_db is not None
    # It stands out: what lies behind inherits, and is not to blame.
    assert worst.own.sqnr_db < next_worst.own.sqnr_db - 6
    if factor < 1 and constant.startswith("r_"):
        assert worst.clipped > 0.001


def test_float_models_part_where_a_weight_differs(files: Path, network: onnx.ModelProto) -> None:
    found = report(files, changed(network, files / "other.onnx", w_two=1.01))
    assert found.parts_at == "two"
    assert found.adds_most[0] == "two"
    layers = {layer.name: layer for layer in found.layers}
    assert layers["one"].output.sqnr_db is None
    assert layers["two"].output.sqnr_db == pytest.approx(40, abs=0.5)
    assert layers["three"].own.sqnr_db is None
    assert not layers["three"].own.not_finite
    assert layers["three"].output.sqnr_db is not None


def test_two_files_of_one_model_do_not_part(files: Path) -> None:
    found = report(files, "float.onnx")
    assert found.parts_at is None
    assert all(layer.output.sqnr_db is None for layer in found.layers)


def test_values_that_are_no_numbers_rank_before_all(files: Path, network: onnx.ModelProto) -> None:
    found = report(files, changed(network, files / "nan.onnx", w_two=100, w_three=float("nan")))
    assert found.adds_most[0] == "three"
    assert next(layer for layer in found.layers if layer.name == "three").own.not_finite > 0


def test_layers_without_common_names_are_matched_by_their_order(files: Path, network: onnx.ModelProto) -> None:
    other = onnx.ModelProto()
    other.CopyFrom(network)
    for index, node in enumerate(other.graph.node):
        node.name = f"layer{index}"
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name not in ("x", "y") and not name.startswith(("w_", "b_")):
                    names[position] = f"renamed_{name}"
    found = report(files, changed(other, files / "renamed.onnx", w_two=1.01))
    assert [layer.by_name for layer in found.layers] == [False] * 6 + [True]
    assert [layer.counterpart for layer in found.layers][:2] == ["one", "relu_one"]
    assert found.parts_at == "layer2"


def test_seeded_samples_are_drawn_without_data(files: Path) -> None:
    found = diff(files / "float.onnx", files / "int8.onnx", samples=3).report
    assert (found.outputs.samples, found.outputs.source) == (3, "seeded sampler, seed 0")


def test_a_fixed_batch_is_filled(files: Path, network: onnx.ModelProto) -> None:
    fixed = onnx.ModelProto()
    fixed.CopyFrom(network)
    for value in (fixed.graph.input[0], fixed.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 5
    onnx.save(fixed, files / "fixed.onnx")
    assert report(files, "fixed.onnx").parts_at is None
    assert report(files, "float.onnx", first="fixed.onnx").parts_at is None


def test_what_cannot_be_compared_is_said(files: Path, network: onnx.ModelProto) -> None:
    other = onnx.ModelProto()
    other.CopyFrom(network)
    for side in (2, 3):
        other.graph.input[0].type.tensor_type.shape.dim[side].dim_value = 16
        other.graph.output[0].type.tensor_type.shape.dim[side].dim_value = 16
    onnx.save(other, files / "larger.onnx")
    with pytest.raises(InputError, match=r"'float.onnx' and 'larger.onnx' are no forms of one model: the inputs"):
        report(files, "larger.onnx")
    with pytest.raises(InputError, match=r"give an \.npz"):
        diff(files / "float.onnx", files / "int8.onnx", data=files)
    with pytest.raises(DatasetError, match="cannot be read"):
        diff(files / "float.onnx", files / "int8.onnx", data=files / "nowhere.npz")


@pytest.fixture
def irs(files: Path, network: onnx.ModelProto, int8: onnx.ModelProto, need: Callable[[str], None]) -> Path:
    """The folder with both in OpenVINO's format, too."""
    need("openvino")
    for name, model in (("float", network), ("int8", int8)):
        write_openvino(model, files / f"{name}.xml", None, half=False)
    return files


def test_openvino_files_are_compared_with_onnx_files_and_each_other(irs: Path) -> None:
    assert report(irs, "float.xml").parts_at is None
    assert report(irs, "float.onnx", first="float.xml").parts_at is None
    for first in ("float.onnx", "float.xml"):
        found = report(irs, "int8.xml", first=first)
        assert found.parts_at == "one"
        assert {layer.precision for layer in found.layers} == {"int8"}
        own = [layer.own.sqnr_db for layer in found.layers if layer.own.sqnr_db is not None]
        assert min(own) > 33


def test_the_corrupted_layer_of_an_openvino_file_ranks_first(irs: Path, int8: onnx.ModelProto) -> None:
    corrupt = onnx.load(changed(int8, irs / "corrupt.onnx", w_three_scale_of_three=0.5))
    write_openvino(corrupt, irs / "corrupt.xml", None, half=False)
    found = report(irs, "corrupt.xml")
    assert found.adds_most[0] == "three"


# --- the command and its page ---


def test_the_command_says_where_they_part_and_what_adds_most(
    edgevision: Call, files: Path, int8: onnx.ModelProto
) -> None:
    changed(int8, files / "corrupt.onnx", r_two_scale=9)
    arguments = (files / "float.onnx", files / "corrupt.onnx", "--data", files / "inputs.npz")
    code, out, err = edgevision("diff", *arguments)
    assert (code, err) == (0, "")
    assert "corrupt.onnx has 7 layers of float.onnx, 7 of them by name" in out
    assert "they part at one (Conv, int8): SQNR " in out
    assert "most is added by relu_two (Relu, int8): " in out
    assert re.search(r"by itself +with all before +layer.*\n +\d+\.\d dB +\d+\.\d dB +relu_two ", out)
    code, out, _ = edgevision("diff", *arguments, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["schema_version"] == 1
    assert document["parts_at"] == "one"
    assert document["adds_most"][0] == "relu_two"


def test_where_nothing_parts_no_layer_is_listed(edgevision: Call, files: Path) -> None:
    code, out, _ = edgevision("diff", files / "float.onnx", files / "float.onnx")
    assert code == 0
    assert out.endswith("they do not part: every layer is within rounding of float32 (SQNR of 60 dB and more)\n")


def test_other_outputs_are_no_forms_of_one_model(files: Path, network: onnx.ModelProto) -> None:
    other = onnx.ModelProto()
    other.CopyFrom(network)
    del other.graph.output[:]
    other.graph.output.add(name="r_two").type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    onnx.save(other, files / "other.onnx")
    with pytest.raises(InputError, match=r"'other\.onnx' are no forms of one model: their outputs have other shapes"):
        report(files, "other.onnx")


def test_two_models_are_needed(edgevision: Call, files: Path) -> None:
    code, _, err = edgevision("diff", files / "float.onnx")
    assert code == 2
    assert "two models are compared, not 1" in err


class Page(HTMLParser):
    """The elements of a page by tag, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_its_page_shows_every_layer_and_asks_nothing_of_anybody(edgevision: Call, files: Path) -> None:
    page = files / "page.html"
    arguments = (files / "float.onnx", files / "int8.onnx", "--html", page)
    assert edgevision("diff", *arguments)[0] == 0
    text = page.read_text(encoding="utf-8")
    found = Page(text)
    nodes = [attributes for tag, attributes in found.elements if tag == "g"]
    # Seven layers, an input and an output.
    assert [node["data-node"] for node in nodes] == [str(number) for number in range(9)]
    for name in ("one", "relu_two", "shortcut", "head"):
        assert sum(str(node["data-words"]).startswith(f"{name} ") for node in nodes) == 1
    details = [attributes for tag, attributes in found.elements if tag == "section"]
    assert [detail["id"] for detail in details] == [f"d{number}" for number in range(9)]
    assert all("hidden" in detail for detail in details)
    assert text.count("Histogram of values") == 7
    # The sentence begins with a file's name.
    assert "<p>int8.onnx has 7 layers of float.onnx" in text
    assert not re.search(r"https?:|//[a-z]|@import|url\(|\beval\b|innerHTML", text)
    assert "default-src 'none'" in text
    assert edgevision("diff", *arguments)[0] == 2
    assert edgevision("diff", *arguments, "--force")[0] == 0


def test_names_of_strangers_are_text(edgevision: Call, files: Path, network: onnx.ModelProto) -> None:
    other = onnx.ModelProto()
    other.CopyFrom(network)
    for node in other.graph.node:
        node.name = f"{NASTY}{node.name}"
    onnx.save(other, files / "nasty.onnx")
    page = files / "page.html"
    assert edgevision("diff", files / "float.onnx", files / "nasty.onnx", "--html", page)[0] == 0
    text = page.read_text(encoding="utf-8")
    found = Page(text)
    assert len([tag for tag, _ in found.elements if tag == "script"]) == 1
    assert found.text.count(NASTY) >= 14
    assert f"{NASTY}shortcut add".lower() in {attributes.get("data-words") for _, attributes in found.elements}


def test_its_page_reads_on_a_telephone_and_on_a_wide_screen(edgevision: Call, files: Path) -> None:
    page = files / "page.html"
    assert edgevision("diff", files / "float.onnx", files / "int8.onnx", "--html", page)[0] == 0

    def choose_a_layer(opened: Any) -> None:
        opened.click("a[data-show]")
        assert opened.locator("section.detail svg.chart").filter(visible=True).count() == 1

    with open_browser() as chromium:
        check_report_page(chromium, page, choose_a_layer)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to open the page with")
def test_a_browser_opens_the_page_runs_its_script_and_no_other(
    edgevision: Call, files: Path, network: onnx.ModelProto
) -> None:
    other = onnx.ModelProto()
    other.CopyFrom(network)
    other.graph.node[0].name = "<img src=x onerror='document.title=1'>"
    onnx.save(other, files / "nasty.onnx")
    page = files / "page.html"
    assert edgevision("diff", files / "float.onnx", files / "nasty.onnx", "--html", page)[0] == 0
    done = subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
            *(f"--user-data-dir={files / 'browser'}", "--disable-background-networking", "--no-first-run"),
            *("--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert "<title>float.onnx and nasty.onnx</title>" in done.stdout
    # What is added behind its back is not run.
    page.write_text(page.read_text().replace("</body>", "<script>document.title = 2</script></body>"))
    text = subprocess.run(done.args, capture_output=True, text=True, check=True, timeout=300)
    assert "<title>float.onnx and nasty.onnx</title>" in text.stdout
    assert "Content Security Policy" in text.stderr
