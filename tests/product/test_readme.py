"""The commands of the README and of the tour are run as they stand there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def blocks(language, page):
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def environment():
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize(("page", "least"), [pytest.param(README, 3, id="readme"), pytest.param(TOUR, 15, id="tour")])
def test_every_shell_command_runs(folder, page, least):
    commands = [line for block in blocks("sh", page) for line in block.splitlines() if line.startswith("edgevision")]
    assert len(commands) >= least
    for command in commands:
        done = subprocess.run(
            shlex.split(command, comments=True),
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=environment(),
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout, command


def test_the_python_of_the_readme_runs(folder):
    (program,) = blocks("python", README)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("cat ")


def test_the_python_of_the_docs_runs(folder):
    pytest.importorskip("cv2")
    (folder / "runtime").symlink_to(ROOT / "runtime")
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    program = "".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    said = re.findall(r"print\(\w+\)  # (.*)", program)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(said) == 2
    assert set(said) <= set(done.stdout.splitlines())
    for name in ("clean.png", "whole.png", "horses.png", "first.png"):
        assert (folder / name).is_file()


def help_of(*verb):
    command = [sys.executable, "-m", "edgevision", *verb, "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_every_option_that_is_shown_exists():
    text = "\n".join(blocks("text", README + TOUR)).replace("\\\n", " ")
    anywhere = help_of()  # options of the program, which every verb takes
    for line in text.splitlines():
        if not line.startswith("edgevision"):
            continue
        words = shlex.split(line, comments=True)
        shown = anywhere + help_of(*(words[1:3] if words[1] in ("train", "run") else words[1:2]))
        for option in (word for word in words if word.startswith("--")):
            assert option.split("=")[0] in shown, (line, option)


def test_the_plain_lines_are_what_make_does():
    makefile = (ROOT / "Makefile").read_text()
    for extra in ("export", "dev"):
        line = f"--editable '.[{extra}]' --constraint constraints.txt"
        assert line in makefile
        assert line in README
    assert "-m pytest" in makefile
    assert "make test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_the_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target
