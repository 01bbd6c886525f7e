"""Pictures and results in stores, by their URLs, and lists of pictures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

fsspec = pytest.importorskip("fsspec")
arrow = pytest.importorskip("pyarrow")

from pyarrow import parquet  # noqa: E402

from edgevision.core.errors import InputError, OutputError  # noqa: E402
from edgevision.runtime.files.inputs import expand_inputs  # noqa: E402
from edgevision.runtime.files.outputs import plan_outputs  # noqa: E402
from edgevision.runtime.files.picture_lists import listed_pictures  # noqa: E402
from edgevision.runtime.files.stored_files import StoredFile, on_this_machine_or_stored  # noqa: E402


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Four pictures in ``in`` and ``in/deep`` of where the user is."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    Path("in/deep").mkdir(parents=True)
    for number in range(4):
        pixels = generator.integers(0, 160, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"in/{'deep/' * (number % 2)}{number}.png")
    return tmp_path


@pytest.fixture
def stored(pictures):
    """The same in fsspec's store in memory, and a way to read what is there."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for path in Path("in").rglob("*.png"):
        memory.pipe_file(f"/bucket/{path}", path.read_bytes())
    yield memory
    memory.store.clear()


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*.png")}


def stored_contents(system, folder):
    return {name.removeprefix(f"{folder}/"): system.cat_file(name) for name in system.find(folder)}


def test_a_folder_in_a_store_becomes_another_as_on_this_machine(edgevision, write_restorer, stored):
    denoise = ("run", "denoise", "-m", write_restorer("denoise"))
    assert edgevision(*denoise, "in", "-o", "out/")[0] == 0
    code, out, err = edgevision(*denoise, "memory://bucket/in", "-o", "memory://bucket/out")
    assert code == 0, err
    assert stored_contents(stored, "/bucket/out") == contents("out")
    assert sorted(out.splitlines()) == sorted(f"memory://bucket/out/{name}" for name in contents("out"))
    assert not list(Path().glob("memory*"))

    stored.rm("/bucket/out/0.png")
    code, out, err = edgevision(*denoise, "memory://bucket/in", "-o", "memory://bucket/out", "--resume", "--json")
    document = json.loads(out)
    assert (code, document["skipped"]) == (0, 3)
    assert document["results"] == [{"input": "memory://bucket/in/0.png", "output": "memory://bucket/out/0.png"}]
    code, out, err = edgevision(*denoise, "memory://bucket/in", "-o", "memory://bucket/out")
    assert (code, out) == (2, "")
    assert "exists already; --force overwrites it" in err


def test_globs_files_and_urls_of_this_machine_are_inputs_too(stored):
    names = [picture.name for picture in expand_inputs(["memory://bucket/in/**/*.png"])]
    assert names == [f"memory://bucket/in/{name}" for name in ("0.png", "2.png", "deep/1.png", "deep/3.png")]
    (one,) = expand_inputs(["memory://bucket/in/0.png"])
    assert (one.source, one.found, str(one.relative)) == (Path("in/0.png").read_bytes(), False, "0.png")
    (here,) = expand_inputs([Path("in/0.png").absolute().as_uri()])
    assert here.source == Path("in/0.png").absolute()


def test_a_picture_that_a_store_lacks_fails_alone(edgevision, write_colours, stored):
    listed = Path("list.txt")
    listed.write_text("memory://bucket/in/0.png\nmemory://bucket/in/lacking.png\nmemory://bucket/in/2.png\n")
    code, out, err = edgevision("run", "classify", "-m", write_colours(), "--files", listed, "--csv")
    assert code == 1
    assert len(out.splitlines()) == 1 + 2 * 3
    assert "'memory://bucket/in/lacking.png' cannot be read: there is no such file" in err
    assert "1 of 3 pictures failed" in err


def test_results_in_a_store_take_no_input_and_no_others_place(stored):
    def plan(*places, output):
        return plan_outputs(expand_inputs(places), output, name_suffix="done", force=True)

    with pytest.raises(OutputError, match="is an input"):
        plan("memory://bucket/in", output="memory://bucket/in")
    with pytest.raises(OutputError, match="would both be written to"):
        plan("memory://bucket/in", "in/0.png", output="memory://bucket/out")
    with pytest.raises(InputError, match="name the folder"):
        plan("memory://bucket/in/0.png", output=None)
    # What lies in the results' folder are no pictures of the folder around it.
    stored.put_file("in/0.png", "/bucket/in/done/0.png")
    assert (
        len(plan_outputs(expand_inputs(["memory://bucket/in"]), "memory://bucket/in/done", name_suffix="x", force=True))
        == 4
    )


@pytest.mark.parametrize("name", ["ftp://host/a.png", "nothing://a"])
def test_what_is_in_no_store_is_refused(name):
    with pytest.raises(InputError, match="in no store that is known"):
        on_this_machine_or_stored(name)


def test_a_store_whose_package_is_not_there_says_so(edgevision, pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    code, out, err = edgevision("run", "classify", "gs://bucket/in")
    assert (code, out) == (3, "")
    assert "gcsfs" in err
    assert "fault of edgevision" not in err


def test_lists_are_lines_or_a_column_and_results_mirror_what_the_paths_have_in_common(
    edgevision, write_restorer, pictures
):
    names = ["in/deep/1.png", "in/0.png"]
    Path("list.txt").write_text("in/deep/1.png\r\n\nin/0.png\n")
    parquet.write_table(arrow.table({"path": names, "label": [1, 2]}), "list.parquet")
    parquet.write_table(arrow.table({"file": names}), "single.parquet")
    for listed in ("list.txt", "list.parquet", "single.parquet"):
        found = listed_pictures(Path(listed))
        assert [(picture.name, str(picture.relative)) for picture in found] == [
            ("in/deep/1.png", "deep/1.png"),
            ("in/0.png", "0.png"),
        ]
    denoise = ("run", "denoise", "-m", write_restorer("denoise"))
    assert edgevision(*denoise, "in", "-o", "out/")[0] == 0
    code, out, _ = edgevision(*denoise, "--files", "list.parquet", "-o", "listed/")
    assert (code, out.splitlines()) == (0, ["listed/deep/1.png", "listed/0.png"])
    assert contents("listed").items() <= contents("out").items()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lists no pictures"),
        (b"a.png\nb.png\na.png\n", "lists 'a.png' twice"),
        (b"\xff\xfe\xfa", "the list of pictures"),
        (None, "cannot be read"),
    ],
)
def test_a_list_that_lists_nothing_is_refused(edgevision, pictures, content, message):
    if content is not None:
        Path("list.txt").write_bytes(content)
    code, out, err = edgevision("run", "classify", "--files", "list.txt")
    assert (code, out) == (2, "")
    assert message in err


def test_a_parquet_file_without_paths_is_refused(pictures):
    parquet.write_table(arrow.table({"a": ["x"], "b": ["y"]}), "two.parquet")
    parquet.write_table(arrow.table({"path": [1]}), "numbers.parquet")
    Path("none.parquet").write_bytes(b"no table")
    for name, message in (
        ("two.parquet", "no column 'path'; it has a, b"),
        ("numbers.parquet", "holds more than paths"),
        ("none.parquet", "is no Parquet file"),
        ("lacking.parquet", "does not exist"),
    ):
        with pytest.raises(InputError, match=message):
            listed_pictures(Path(name))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name the pictures as INPUT, or a list of them with --files"),
        (["in", "--files", "list.txt"], "not both"),
        (["--files", "list.txt", "--on", "pi@board"], "--files is not for boards"),
        (["in", "-o", "memory://bucket/out", "--on", "pi@board"], "to this machine"),
        (["--files", "list.txt", "--fps", "2"], "--fps is for videos"),
    ],
)
def test_pictures_are_named_or_listed(edgevision, pictures, words, message):
    code, out, err = edgevision("run", "denoise", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert "fault of edgevision" not in err


def test_what_is_not_finished_is_not_stored(stored):
    target = StoredFile("memory", Path("bucket/out/0.png"))

    def interrupted():
        with target.writing() as local:
            local.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not stored.exists("/bucket/out/0.png")


@pytest.fixture
def s3(monkeypatch, tmp_path):
    """A server that speaks S3, on loopback, with an empty bucket ``bucket``."""
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    server = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main(['-H', '127.0.0.1', '-p', '0'])"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    with server as process:
        assert process.stderr is not None
        try:
            address = next(line.split()[-1] for line in process.stderr if "Running on" in line)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
            monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            monkeypatch.setenv("AWS_ENDPOINT_URL", address)
            system = fsspec.filesystem("s3", skip_instance_cache=True)
            system.mkdir("bucket")
            yield system
        finally:
            process.kill()


def test_s3_on_loopback_is_such_a_store(edgevision, write_restorer, pictures, s3):
    for path in Path("in").rglob("*.png"):
        s3.pipe_file(f"bucket/{path}", path.read_bytes())
    denoise = ("run", "denoise", "-m", write_restorer("denoise"))
    assert edgevision(*denoise, "in", "-o", "out/")[0] == 0
    code, _, err = edgevision(*denoise, "s3://bucket/in", "-o", "s3://bucket/out")
    assert code == 0, err
    s3.invalidate_cache()
    assert stored_contents(s3, "bucket/out") == contents("out")
    code, _, err = edgevision(*denoise, "s3://nowhere/in", "-o", "s3://bucket/out")
    assert code in (1, 2)
    assert "fault of edgevision" not in err
