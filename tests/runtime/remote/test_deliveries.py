"""What a board delivers as pictures, codes and JSON is looked at before anybody believes it."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevision.core.errors import DeviceError, ImageError
from edgevision.core.machine import Machine
from edgevision.modelfiles.metadata import Task
from edgevision.runtime.commands import carry_out
from edgevision.runtime.commands.deliveries import codes_check, picture_check, size_of_result
from edgevision.runtime.commands.documents import check_document, parse_document
from edgevision.runtime.commands.on_boards import Boards
from edgevision.runtime.commands.packing import Freight
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.remote.board import Brought
from edgevision.runtime.remote.run_job import JobResult


def encoded(kind, size=(6, 4), **options):
    stream = io.BytesIO()
    Image.effect_noise(size, 40).save(stream, kind, **options)
    return stream.getvalue()


def film(frames):
    pictures = [Image.effect_noise((6, 4), 40) for _ in range(frames)]
    stream = io.BytesIO()
    pictures[0].save(stream, "GIF", save_all=True, append_images=pictures[1:])
    return stream.getvalue()


@pytest.fixture
def refusal(tmp_path):
    """Why a check refuses these bytes; ``None`` where it does not."""

    def ask(check, content):
        path = tmp_path / "delivered"
        path.write_bytes(content)
        try:
            check(path)
        except ImageError as error:
            return str(error)
        return None

    return ask


@pytest.mark.parametrize(
    ("content", "telling"),
    [
        (encoded("PNG"), None),
        (b"not a picture", "is not a picture"),
        (b"", "is not a picture"),
        (encoded("PNG")[:-30], "no whole PNG"),
        (encoded("JPEG"), "no PNG"),
        (encoded("PNG", (4, 6)), "4x6 pixels instead of 6x4"),
        (encoded("PNG", (6, 4), save_all=True, append_images=[Image.new("L", (6, 4))]), "2 frames"),
    ],
)
def test_a_picture_is_whole_and_of_its_format_and_size(refusal, content, telling):
    said = refusal(picture_check(Path("o.png"), lambda: (4, 6)), content)
    assert said is None if telling is None else telling in said


@pytest.mark.parametrize(
    ("name", "content", "taken"),
    [
        ("o.JPG", encoded("JPEG"), True),
        ("o.webp", encoded("WEBP"), True),
        ("o.tif", encoded("TIFF", compression="tiff_lzw"), True),
        ("o.webp", encoded("WEBP")[:-9], False),
        ("o.jpg", encoded("JPEG", (64, 64))[:-200], False),
        ("o.gif", film(4), True),
        ("o.gif", film(5), False),
    ],
)
def test_every_format_is_decoded_to_its_end(refusal, name, content, taken):
    assert (refusal(picture_check(Path(name), most_frames=4), content) is None) == taken


def codes(array, **changes):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"shape": array.shape, "fortran_order": False, "descr": array.dtype.str} | changes
    )
    return stream.getvalue() + array.tobytes()


CODES = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("content", "telling"),
    [
        (codes(CODES), None),
        (codes(CODES, shape=(2, 10**15)), "longer or shorter"),
        (codes(CODES, shape=(3, 2)), "instead of 2 rows"),
        (codes(CODES, shape=(2, -3)), "longer or shorter"),
        (codes(CODES.astype(np.float64)), "instead of 2 rows of float32"),
        (codes(CODES, descr="|O"), "instead of 2 rows"),
        (codes(CODES * np.nan), "NaN"),
        (codes(CODES) + b"x", "longer"),
        (codes(CODES)[:40], "no file of NumPy's"),
        (b"PK\x03\x04", "no file of NumPy's"),
        (b"", "no file of NumPy's"),
    ],
)
def test_codes_are_rows_of_finite_numbers_and_nothing_else(refusal, content, telling):
    said = refusal(codes_check(2), content)
    assert said is None if telling is None else telling in said


def test_the_size_to_come_is_that_of_the_upright_picture_times_the_models_scale(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10)).save(tmp_path / "turned.jpg", exif=exif)
    picture = PictureInput("turned.jpg", tmp_path / "turned.jpg")
    assert size_of_result(Task.DENOISE, None, None, picture) == (20, 10)
    assert size_of_result(Task.UPSCALE, None, 4, picture) == (80, 40)
    assert size_of_result(Task.DENOISE, None, None, PictureInput("-", b"damaged")) is None


# --- documents ---

RAN = {"model": "m", "name": "n", "device": "cpu", "engine": "e", "nodes": {}}
INPUTS = ["in/00001.png", "in/00002.png"]


def classified(name, **changes):
    return {"input": name, "predictions": [{"label": "a", "probability": 0.5} | changes]}


def failed(name):
    return {"input": name, "error": "it is damaged"}


GOOD = RAN | {"results": [classified(INPUTS[0])], "failures": [failed(INPUTS[1])]}


def judged(words, document, code=0):
    result = JobResult("liar", code, json.dumps(document), "", Brought(frozenset({"out/1.png"}), {}))
    freight = Freight({"inputs": INPUTS}, bring={"out/1.png": Path("o.png")})
    check_document(words, parse_document(result), result, freight)


def test_an_honest_document_passes():
    judged("run classify", GOOD)
    judged("run generate", RAN | {"seconds": 0.1, "outputs": ["out/1.png"]})
    judged("devices", {"machine": Machine.this().to_dict(), "devices": [], "problems": []})


@pytest.mark.parametrize(
    ("words", "document"),
    [
        ("run classify", {}),
        ("run classify", {"boards": []}),
        ("run classify", GOOD | {"results": None}),
        ("run classify", GOOD | {"results": [classified(INPUTS[0], probability=1.5)]}),
        ("run classify", GOOD | {"results": [classified(INPUTS[0], label=7)]}),
        ("run classify", GOOD | {"results": [classified("in/00003.png")]}),
        ("run classify", GOOD | {"results": [classified(INPUTS[1])]}),
        ("run classify", GOOD | {"failures": []}),
        ("run denoise", RAN | {"seconds": 1, "results": [{"input": INPUTS[0], "output": "/etc/passwd"}]}),
        ("run generate", RAN | {"seconds": 1, "outputs": ["../out/1.png"]}),
        ("devices", {"machine": {}, "devices": [], "problems": []}),
    ],
)
def test_a_document_about_something_else_is_refused(words, document):
    with pytest.raises(DeviceError, match="sent what edgevision"):
        judged(words, document)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "nonsense", "NaN", '{"a": Infinity}', '{"a": 1e999}', '{"a": %s}' % (10**30), '{"a": %s}' % ("9" * 5000)]
    + ['{"a":' * depth + "1" + "}" * depth for depth in (40, 900, 100_000)],
    ids=range(11),
)
def test_what_is_no_document_of_ours_is_refused(text):
    with pytest.raises(DeviceError):
        parse_document(JobResult("liar", 0, text, "", Brought(frozenset(), {})))


def test_a_table_from_a_board_holds_no_formulas_and_no_name_of_what_was_not_written(monkeypatch, capsys):
    output = "input,label,probability\nin/00001.png,=cmd(),0.5\nout/1.png\n"
    freight = Freight({"as_csv": True, "as_json": False}, bring={"out/1.png": Path("o.png")})
    result = JobResult("liar", 0, output, "", Brought(frozenset(), {"out/1.png": "it is no picture"}))
    monkeypatch.setattr(carry_out, "pack", lambda *arguments: freight)
    monkeypatch.setattr(carry_out, "run_freight", lambda *arguments: [result])
    freight.shown["out/1.png"] = "o.png"
    with pytest.raises(DeviceError, match=r"'liar' sent as 'o\.png' is not taken: it is no picture"):
        carry_out.carry_out("run classify", [], freight.values, Boards(["liar"], None, ()))
    assert capsys.readouterr().out == "input,label,probability\nin/00001.png,'=cmd(),0.5\n"
