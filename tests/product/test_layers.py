"""The device side never needs the workstation's packages, and says which extra brings them where it does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKPOINT = str(ROOT / "examples/checkpoints/classifier.pt")
PICTURE = str(ROOT / "examples/pictures/cat.jpg")

BLOCKER = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
from edgevision.cli.app import main
main(sys.argv[1:])
"""

WORKSTATION = (
    "torch",
    "onnx",
    "onnxscript",
    "nncf",
    "matplotlib",
    "lightning",
    "torchmetrics",
    "kornia",
    "sklearn",
    "scipy",
)


def run_without(names, *arguments, cwd=None):
    program = BLOCKER.format(names=set(names))
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, cwd=cwd
    )


@pytest.fixture(scope="module")
def shipped():
    from edgevision.runtime.shipped_models import shipped_model

    return str(shipped_model("classify"))


@pytest.fixture
def classes(tmp_path):
    from PIL import Image

    (tmp_path / "data" / "cat").mkdir(parents=True)
    Image.open(PICTURE).save(tmp_path / "data" / "cat" / "0.png")
    return str(tmp_path / "data")


def test_every_verb_of_the_device_side_works_without_the_workstations_packages(shipped, classes):
    for arguments in (
        ("--help",),
        ("devices",),
        ("inspect", shipped),
        ("run", "classify", PICTURE, "--json"),
        ("evaluate", shipped, classes),
        ("bench", shipped, "--seconds", "0.01", "--warmup", "0"),
    ):
        done = run_without(WORKSTATION, *arguments)
        assert done.returncode == 0, (arguments, done.stderr)


@pytest.mark.parametrize(
    ("blocked", "arguments", "extra"),
    [
        ({"onnxruntime", "openvino"}, ("run", "classify", PICTURE), "cpu"),
        ({"torch"}, ("export", CHECKPOINT), "export"),
        ({"onnx"}, ("export", CHECKPOINT), "export"),
        ({"lightning"}, ("train", "classify"), "train"),
        ({"kornia"}, ("train", "classify"), "train"),
    ],
)
def test_a_missing_package_ends_with_3_and_the_command_that_brings_it(tmp_path, blocked, arguments, extra):
    done = run_without(blocked, *arguments, cwd=tmp_path)
    assert done.returncode == 3
    assert re.search(rf"pip install .*\[{extra}\]'", done.stderr)
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_help_imports_nothing_heavy():
    program = (
        "import sys; from edgevision.cli.app import main\ntry: main(['--help'])\nfinally: print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    for name in ("numpy", "PIL", "onnxruntime", "torch", "pydantic", "rich"):
        assert f"'{name}'" not in done.stdout


def test_classifying_imports_neither_pydantic_nor_rich():
    program = (
        "import sys; from edgevision.cli.app import main\n"
        f"try: main(['run', 'classify', {PICTURE!r}])\nfinally: print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "'onnxruntime'" in done.stderr
    for name in ("pydantic", "rich", "zipfile", "xml", "openvino"):
        assert f"'{name}'" not in done.stderr


def test_the_import_contracts_are_kept():
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--config", "pyproject.toml"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert "0 broken" in done.stdout, done.stdout


def test_measuring_imports_neither_pydantic_nor_what_only_its_options_need(shipped):
    arguments = ["bench", shipped, "--device", "cpu", "--seconds", "0.01", "--warmup", "0", "--threads", "1"]
    program = (
        f"import sys; from edgevision.cli.app import main\ntry: main({arguments!r})\n"
        "finally: print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "'onnxruntime'" in done.stderr
    pipeline = "edgevision.runtime.tasks.classification.classifier"
    for name in ("pydantic", "rich", "openvino", "PIL", "edgevision.core.html_page", pipeline):
        assert f"'{name}'" not in done.stderr
