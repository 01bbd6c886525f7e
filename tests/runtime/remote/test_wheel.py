"""The wheel that a board gets is the running edgevision, all of it, and the same each time."""

import base64
import csv
import hashlib
import io
import zipfile
from pathlib import Path

import edgevision
from edgevision.runtime.remote.wheel import own_wheel


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else():
    package = Path(edgevision.__file__).parent
    expected = set()
    for folder in (package, package / "exporters", package / "runtime"):
        for path in folder.resolve().rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                name = "" if folder == package else f"{folder.name}/"
                expected.add(f"edgevision/{name}{path.relative_to(folder.resolve()).as_posix()}")
    with zipfile.ZipFile(io.BytesIO(own_wheel().data)) as archive:
        names = archive.namelist()
        assert {name for name in names if ".dist-info/" not in name} == expected
        assert len(names) == len(set(names))
        assert archive.testzip() is None


def test_the_record_lists_every_file_with_its_hash():
    with zipfile.ZipFile(io.BytesIO(own_wheel().data)) as archive:
        record = next(name for name in archive.namelist() if name.endswith("/RECORD"))
        rows = list(csv.reader(archive.read(record).decode().splitlines()))
        assert {row[0] for row in rows} == set(archive.namelist())
        for name, digest, size in rows:
            if name != record:
                data = archive.read(name)
                encoded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
                assert (digest, int(size)) == (f"sha256={encoded}", len(data))


def test_the_wheel_is_the_same_each_time():
    first, second = own_wheel(), own_wheel()
    assert first == second
    assert first.name == f"edgevision-{first.version}-py3-none-any.whl"


def test_what_building_leaves_in_a_checkout_is_not_taken_for_the_installation(tmp_path, monkeypatch):
    left = tmp_path / "edgevision.egg-info"
    left.mkdir()
    (left / "PKG-INFO").write_text("Metadata-Version: 2.4\nName: edgevision\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    wheel = own_wheel()
    assert wheel.version == edgevision.__version__
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
        metadata = archive.read(f"edgevision-{wheel.version}.dist-info/METADATA").decode()
    assert "Requires-Dist: numpy" in metadata
