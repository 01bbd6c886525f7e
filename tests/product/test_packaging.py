"""What is built from the project, and that it runs however it was installed and from wherever it is called."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BESIDE = ("exporters", "runtime")
"""The sub-packages that stand beside the package in a checkout, with links to them inside it."""

Install = Callable[..., Path]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy, so that nothing is left in the checkout; named as the package, which hides it from nobody."""
    ignored = shutil.ignore_patterns(".venv", "build", "dist", "runs", ".git", "*.egg-info", "__pycache__", ".*_cache")
    copy = tmp_path_factory.mktemp("copy") / "edgevision"
    return Path(shutil.copytree(ROOT, copy, symlinks=True, ignore=ignored))


@pytest.fixture(scope="module")
def built(checkout, tmp_path_factory) -> dict[str, Path]:
    """The wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], check=True, cwd=checkout)
    return {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


@pytest.fixture(scope="module")
def without_links(checkout, tmp_path_factory) -> Path:
    """As from a zip, or from a system without links."""
    copy = Path(shutil.copytree(checkout, tmp_path_factory.mktemp("unlinked") / "edgevision", symlinks=True))
    for name in BESIDE:
        (copy / "edgevision" / name).unlink()
    return copy


@pytest.fixture(scope="module")
def with_files_for_links(without_links, tmp_path_factory) -> Path:
    """As git leaves it with core.symlinks=false."""
    copy = Path(shutil.copytree(without_links, tmp_path_factory.mktemp("windows") / "edgevision"))
    for name in BESIDE:
        (copy / "edgevision" / name).write_text(f"../{name}")
    return copy


@pytest.fixture
def install(tmp_path) -> Install:
    """Install into an environment of its own, in which the dependencies are found already; its programs come back."""

    def run(source: Path, *options: str) -> Path:
        venv.create(tmp_path / "venv")
        python = tmp_path / "venv" / "bin" / "python"
        site = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")}))
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", "--no-build-isolation", *options, str(source)], check=True)
        return python.parent

    return run


def _modules(folder: Path) -> Iterator[tuple[str, Path]]:
    """What belongs into a wheel, and where it lies in a checkout."""
    for root, name in ((folder / "edgevision", "edgevision"), *((folder / n, f"edgevision/{n}") for n in BESIDE)):
        for path in root.rglob("*"):
            inside = path.relative_to(root)
            linked = root.name == "edgevision" and inside.parts[0] in BESIDE
            if path.is_file() and not linked and "__pycache__" not in inside.parts:
                yield f"{name}/{inside.as_posix()}", path


def test_the_wheel_holds_every_module_and_asset_of_the_checkout_once(built):
    with zipfile.ZipFile(built["wheel"]) as archive:
        held = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert sorted(held) == sorted(name for name, _ in _modules(ROOT))


def test_the_source_distribution_holds_every_module_once_where_it_stands_in_the_checkout(built):
    with tarfile.open(built["sdist"]) as archive:
        held = [Path(*Path(name).parts[1:]).as_posix() for name in archive.getnames()]
    assert len(held) == len(set(held))
    assert {path.relative_to(ROOT).as_posix() for _, path in _modules(ROOT)} <= set(held)
    assert {"README.md", "LICENSE", "tests/conftest.py", "constraints.txt", "docs/models.md"} <= set(held)
    assert not [name for name in held if name.startswith(tuple(f"edgevision/{beside}" for beside in BESIDE))]


def test_the_wheel_brings_the_licence_and_the_command(built):
    with zipfile.ZipFile(built["wheel"]) as archive:
        info = {
            name.split(".dist-info/")[1]: archive.read(name).decode()
            for name in archive.namelist()
            if ".dist-info/" in name
        }
    assert "Apache License" in info["licenses/LICENSE"]
    assert "edgevision = edgevision.__main__:main" in info["entry_points.txt"].replace("'", "")
    assert "Requires-Python: >=3.11" in info["METADATA"]


def test_no_engine_is_a_base_dependency(built):
    """onnxruntime and onnxruntime-gpu overwrite each other; the extra chooses."""
    with zipfile.ZipFile(built["wheel"]) as archive:
        metadata = archive.read(next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))).decode()
    base = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert {line.split()[1].split(">")[0] for line in base} == {"numpy", "pillow", "typer", "rich"}


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("wheel", ()),
        ("sdist", ()),
        ("checkout", ("--editable",)),
        ("without_links", ()),
        ("without_links", ("--editable",)),
        ("with_files_for_links", ()),
        ("with_files_for_links", ("--editable",)),
    ],
)
def test_it_runs_from_the_folder_that_holds_the_clone_however_it_was_installed(
    install, built, checkout, request, tmp_path, source, options
):
    place = built[source] if source in built else request.getfixturevalue(source)
    programs = install(place, *options)
    parent = checkout.parent if source in built else place.parent
    picture = ROOT / "examples" / "pictures" / "cat.jpg"
    command = [str(programs / "edgevision"), "run", "classify", str(picture), "--csv", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=parent)
    assert "cat.jpg,cat,0." in done.stdout, done.stderr
    user = tmp_path / "user.py"
    user.write_text(f"import edgevision\n\nprint(edgevision.load('classify')({str(picture)!r}).label)\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(programs / "python"), str(user)],
        capture_output=True,
        text=True,
        check=False,
        cwd=parent,
        env=environment,
    )
    assert done.stdout.strip() == "cat", done.stderr


@pytest.mark.parametrize("source", ["checkout", "without_links"])
def test_a_users_program_is_type_checked_from_the_folder_that_holds_an_editable_clone(
    install, request, tmp_path, source
):
    place = request.getfixturevalue(source)
    programs = install(place, "--editable")
    (tmp_path / "user.py").write_bytes((Path(__file__).parent / "typed_program.py").read_bytes())
    options = ["--strict", "--follow-imports=silent", "--python-executable", str(programs / "python")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--cache-dir", str(place.parent / "cache"), str(tmp_path / "user.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=place.parent,
    )
    assert "Success" in done.stdout, done.stdout


def test_a_board_gets_every_module_from_a_checkout_without_links(install, without_links, built):
    programs = install(without_links, "--editable")
    program = (
        "import sys; from edgevision.runtime.remote.software import own_software;"
        " sys.stdout.buffer.write(own_software({'cpu'}).code.archive)"
    )
    done = subprocess.run([str(programs / "python"), "-c", program], capture_output=True, check=True)
    packed = without_links.parent / "code.zip"
    packed.write_bytes(done.stdout)
    workstation = ("exporters", "models", "training", "runtime/assets", "runtime/serving", "runtime/web")
    left_out = tuple(f"edgevision/{name}/" for name in workstation)
    with zipfile.ZipFile(packed) as board, zipfile.ZipFile(built["wheel"]) as wheel:
        assert {*board.namelist()} == {
            n for n in wheel.namelist() if ".dist-info/" not in n and not n.startswith(left_out)
        }
