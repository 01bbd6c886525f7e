"""The verbs, and what they send to a board."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_codec import NAME, compressor, decompressor

from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.compression import command
from edgevision.runtime.tasks.compression.board_files import compress_files, decompress_files
from edgevision.runtime.tasks.compression.spec import CodecHalf


@pytest.fixture
def halves(monkeypatch):
    """The small codec takes the place of what ships."""
    made = {CodecHalf.COMPRESS: compressor, CodecHalf.DECOMPRESS: decompressor}
    monkeypatch.setattr(command, "_half", lambda task, options: made[task]())
    monkeypatch.setattr(command, "open_other_half", lambda half, judge, threads: decompressor())


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((48, 64, 3), (10, 120, 250), np.uint8)).save(path)
    return path


@pytest.mark.usefixtures("halves")
def test_there_and_back(edgevision, photo, tmp_path):
    code, out, err = edgevision("run", "compress", photo, "-o", tmp_path / "photo.evc", "--quality", 2)
    assert (code, out.strip()) == (0, str(tmp_path / "photo.evc"))
    assert "bits a pixel" in err
    code, out, _ = edgevision("run", "decompress", tmp_path / "photo.evc")
    assert (code, out.strip()) == (0, str(tmp_path / "photo-decompressed.png"))
    with Image.open(tmp_path / "photo-decompressed.png") as restored:
        assert np.abs(np.asarray(restored).astype(int) - (10, 120, 250)).max() <= 4


@pytest.mark.usefixtures("halves")
def test_before_and_after_are_shown_side_by_side(edgevision, photo, tmp_path):
    code, _, _ = edgevision("run", "compress", photo, "--quality", 2, "--compare", tmp_path / "both.png")
    assert (code, (tmp_path / "photo-compressed.evc").exists()) == (0, True)
    with Image.open(tmp_path / "both.png") as both:
        assert both.size == (64 + 8 + 64, 48)
        assert np.abs(np.asarray(both)[:, -64:].astype(int) - (10, 120, 250)).max() <= 4


@pytest.mark.usefixtures("halves")
def test_what_is_done_already_is_skipped(edgevision, photo, tmp_path):
    for verb, folder, source in (("compress", "small", tmp_path), ("decompress", "whole", tmp_path / "small")):
        command = ("run", verb, source, "-o", f"{tmp_path / folder}/", "--resume", "--json")
        for skipped in (0, 1):
            code, out, _ = edgevision(*command)
            document = json.loads(out)
            assert (code, document["skipped"], len(document["outputs"])) == (0, skipped, 1 - skipped)


@pytest.mark.usefixtures("halves")
def test_a_quality_that_there_is_not_is_a_wrong_command(edgevision, photo, tmp_path):
    code, out, err = edgevision("run", "compress", tmp_path, "-o", tmp_path / "small/", "--quality", 9)
    assert (code, out) == (2, "")
    assert err.count("the quality is from 1 to 2, not 9") == 1
    assert not (tmp_path / "small").exists()


@pytest.mark.usefixtures("halves")
def test_folders_are_mirrored(edgevision, photo, tmp_path):
    assert edgevision("run", "compress", tmp_path, "-o", tmp_path / "small/")[0] == 0
    assert edgevision("run", "decompress", tmp_path / "small", "-o", tmp_path / "whole/")[0] == 0
    assert (tmp_path / "small/photo.evc").exists()
    assert (tmp_path / "whole/photo.png").exists()


@pytest.mark.usefixtures("halves")
def test_the_name_of_a_compressed_picture_ends_in_evc(edgevision, photo):
    code, _, err = edgevision("run", "compress", photo, "-o", photo.with_suffix(".jpg"))
    assert code == 2
    assert ".evc" in err


@pytest.mark.usefixtures("halves")
@pytest.mark.parametrize(
    ("damage", "telling"),
    [
        (lambda content: content[:50], "cut off"),
        (lambda content: b"\xff\xd8\xff\xe0" + content, "was not made by"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "checksum"),
        (lambda content: compressor("ffffffffffffffff")(np.zeros((9, 9, 3), np.uint8)).content, NAME),
    ],
)
def test_what_cannot_be_read_is_the_wrong_input(edgevision, tmp_path, damage, telling):
    content = compressor()(np.zeros((80, 80, 3), np.uint8)).content
    (tmp_path / "photo.evc").write_bytes(damage(content))
    code, out, err = edgevision("run", "decompress", tmp_path / "photo.evc", "-o", tmp_path / "photo.png")
    assert (code, out) == (2, "")
    assert telling in err
    assert "photo.evc" in err
    assert not (tmp_path / "photo.png").exists()


@pytest.mark.usefixtures("halves")
def test_one_bad_file_among_several_is_named_and_the_others_are_read(edgevision, tmp_path):
    (tmp_path / "good.evc").write_bytes(compressor()(np.zeros((80, 80, 3), np.uint8)).content)
    (tmp_path / "bad.evc").write_bytes(b"none")
    code, _, err = edgevision("run", "decompress", tmp_path, "-o", tmp_path / "whole/")
    assert code == 1
    assert "bad.evc" in err
    assert (tmp_path / "whole/good.png").exists()


@pytest.fixture
def sent(tmp_path, monkeypatch):
    """The command that a board is sent, whose model is a file of nothing."""
    model = tmp_path / "half.onnx"
    model.write_bytes(b"model")
    monkeypatch.setattr(RemoteCommand, "send_model", lambda self, path, number=1, called=None: str(path))

    def send(files, **values):
        given = {"model": model, "compare": None, "judge": None, "force": False, "resume": False}
        remote = RemoteCommand("run compress", [], given | values)
        files(remote)
        return remote

    return send


def test_a_board_is_sent_pictures_and_its_files_are_looked_at(sent, photo, tmp_path, refusal):
    remote = sent(compress_files, inputs=[str(photo)], output=str(tmp_path / "photo.evc"))
    assert remote.values["inputs"] == ["in/00001.png"]
    ((name, output),) = remote.outputs.items()
    assert (name, output.target) == ("out/00001.evc", tmp_path / "photo.evc")
    assert "was not made by" in refusal(output.check, b"anything")
    assert refusal(output.check, compressor()(photo).content) is None


def test_comparisons_come_back_from_a_board(sent, photo, tmp_path, refusal):
    judge = tmp_path / "other.onnx"
    remote = sent(
        compress_files,
        inputs=[str(photo)],
        output=str(tmp_path / "photo.evc"),
        compare=tmp_path / "both.png",
        judge=judge,
    )
    assert (remote.values["judge"], remote.values["compare"]) == (str(judge), Path("compare/00001.png"))
    check = remote.outputs["compare/00001.png"].check
    assert "64x48" in refusal(check, photo.read_bytes())
    both = tmp_path / "both.png"
    Image.new("RGB", (136, 48)).save(both)
    assert refusal(check, both.read_bytes()) is None


def test_a_board_has_nothing_to_do_where_all_is_done(sent, photo, tmp_path):
    (tmp_path / "photo.evc").write_bytes(b"done")
    remote = sent(compress_files, inputs=[str(photo)], output=str(tmp_path / "photo.evc"), resume=True)
    assert remote.answer == {"outputs": []}


def test_a_board_is_sent_files_and_its_pictures_are_looked_at(sent, photo, tmp_path, refusal):
    (tmp_path / "photo.evc").write_bytes(compressor()(photo).content)
    remote = sent(decompress_files, inputs=[str(tmp_path / "photo.evc")], output=str(tmp_path / "back.png"))
    ((name, output),) = remote.outputs.items()
    assert (name, output.target) == ("out/00001.png", tmp_path / "back.png")
    assert refusal(output.check, photo.read_bytes()) is None
    smaller = tmp_path / "smaller.png"
    Image.new("RGB", (64, 47)).save(smaller)
    assert "64x47" in refusal(output.check, Path(smaller).read_bytes())
