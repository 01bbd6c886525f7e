"""A sub-package missing from pyproject.toml's list works in a checkout and is silently absent from the wheel."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The project's wheel, built from a copy so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(".venv", "build", "dist", "runs", ".git", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=ignored)
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(folder / "source")], check=True)
    return next(folder.glob("edgevision-*.whl"))


def test_the_wheel_holds_every_module_and_asset_of_the_checkout(wheel):
    expected = set()
    for name, folder in (
        ("edgevision", "edgevision"),
        ("edgevision/exporters", "exporters"),
        ("edgevision/runtime", "runtime"),
    ):
        for path in (ROOT / folder).rglob("*"):
            linked = folder == "edgevision" and path.relative_to(ROOT).parts[1] in ("exporters", "runtime")
            if path.is_file() and not linked and path.suffix in (".py", ".typed", ".onnx", ".json"):
                expected.add(f"{name}/{path.relative_to(ROOT / folder).as_posix()}")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected


def test_the_wheel_brings_the_licence_and_the_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        info = {
            name.split(".dist-info/")[1]: archive.read(name).decode()
            for name in archive.namelist()
            if ".dist-info/" in name
        }
    assert "Apache License" in info["licenses/LICENSE"]
    assert "edgevision = edgevision.__main__:main" in info["entry_points.txt"]
    assert "Requires-Python: >=3.11" in info["METADATA"]


def test_no_engine_is_a_base_dependency(wheel):
    """onnxruntime and onnxruntime-gpu overwrite each other; the extra chooses."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))).decode()
    base = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert {line.split()[1].split(">")[0] for line in base} == {"numpy", "pillow", "typer", "rich"}


def test_the_installed_wheel_classifies_a_picture(wheel, tmp_path):
    options = ["--no-deps", "--quiet", "--target", str(tmp_path / "site")]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    # Only the wheel: -I keeps the checkout and its editable install out of the way of the path below.
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r});"
        "import edgevision; assert edgevision.__file__.startswith(sys.path[0]);"
        f"print(edgevision.load('classify')({str(ROOT / 'examples/pictures/cat.jpg')!r}).label)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False, cwd=os.sep
    )
    assert done.stdout.strip() == "cat", done.stderr
