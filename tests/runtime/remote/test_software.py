"""What a board gets is the running edgevision: all of its device side, its requirements, and the same each time."""

import base64
import csv
import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import edgevision
from edgevision.runtime.remote import software
from edgevision.runtime.remote.software import own_software

EXTRAS = {"cpu", "qnn"}
ELSEWHERE = tuple(
    f"edgevision/{name}/"
    for name in ("exporters", "models", "training", "runtime/assets", "runtime/serving", "runtime/web")
)


def opened(data):
    return zipfile.ZipFile(io.BytesIO(data))


def test_the_code_is_every_file_of_the_device_side_and_nothing_else():
    package = Path(edgevision.__file__).parent
    expected = set()
    for folder in (package, package / "exporters", package / "runtime"):
        for path in folder.resolve().rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                name = "" if folder == package else f"{folder.name}/"
                expected.add(f"edgevision/{name}{path.relative_to(folder.resolve()).as_posix()}")
    with opened(own_software(EXTRAS).code.archive) as archive:
        names = archive.namelist()
        assert set(names) == {name for name in expected if not name.startswith(ELSEWHERE)}
        assert len(names) == len(set(names))
        assert archive.testzip() is None


def test_the_code_runs_where_nothing_else_of_edgevision_is(tmp_path):
    with opened(own_software(EXTRAS).code.archive) as archive:
        archive.extractall(tmp_path)
    program = "import edgevision; from edgevision.cli.app import main; print(edgevision.__file__); main(['devices'])"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))


def test_the_requirements_are_those_of_the_extras_in_a_wheel_without_modules():
    wheel = own_software(EXTRAS).requirements
    info = f"edgevision-{edgevision.__version__}.dist-info"
    with opened(wheel.data) as archive:
        names = archive.namelist()
        assert set(names) == {f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD"}
        metadata = archive.read(f"{info}/METADATA").decode()
        rows = list(csv.reader(archive.read(f"{info}/RECORD").decode().splitlines()))
        assert {row[0] for row in rows} == set(names)
        for name, digest, size in rows:
            if not name.endswith("/RECORD"):
                data = archive.read(name)
                encoded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
                assert (digest, int(size)) == (f"sha256={encoded}", len(data))
    assert wheel.name == f"edgevision-{edgevision.__version__}-py3-none-any.whl"
    assert "Requires-Dist: numpy" in metadata
    # Of the engine, which some builders write out and others as edgevision[cpu].
    assert re.search(r"Requires-Dist: (edgevision\[cpu\]|onnxruntime\b.*); extra == .qnn", metadata)
    assert "torch" not in metadata
    assert "onnxruntime-gpu" not in metadata


def test_both_are_the_same_each_time():
    assert own_software(EXTRAS) == own_software(EXTRAS)


def test_an_edit_changes_the_code_and_not_the_requirements_and_a_new_version_neither(monkeypatch):
    before, modules = own_software(EXTRAS), software._modules()
    monkeypatch.setattr(software, "_modules", lambda: modules | {"edgevision/__main__.py": b"edited"})
    edited = own_software(EXTRAS)
    assert edited.code.key != before.code.key
    assert edited.requirements == before.requirements
    monkeypatch.setattr(edgevision, "__version__", "9.9")
    assert own_software(EXTRAS).requirements.key == before.requirements.key


@pytest.mark.parametrize("extras", [{"cpu"}, {"cpu", "gpu"}])
def test_other_requirements_are_another_environment(extras):
    assert own_software(extras).requirements.key != own_software(EXTRAS).requirements.key


def test_what_building_leaves_in_a_checkout_is_not_taken_for_the_installation(tmp_path, monkeypatch):
    before = own_software(EXTRAS)
    left = tmp_path / "edgevision.egg-info"
    left.mkdir()
    (left / "PKG-INFO").write_text("Metadata-Version: 2.4\nName: edgevision\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert own_software(EXTRAS) == before
