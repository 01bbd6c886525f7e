"""The commands of the README are run as they stand there, and what any page shows exists."""

import html
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from documented import code

from edgevision.cli import app as cli

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN = [one for one in code(ROOT / "README.md") if one.mark is None]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def environment():
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def test_every_shell_command_runs(folder):
    commands = [one for one in RUN if one.language == "sh"]
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(
            command.words,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=environment(),
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout, command


def test_the_recorded_terminal_shows_these_commands():
    recording = (ROOT / "docs" / "pictures" / "terminal.svg").read_text(encoding="utf-8")
    typed = re.findall(r'class="command">\$ (.+?)</text>', recording)
    assert [html.unescape(command) for command in typed] == [
        shlex.join(one.words) for one in RUN if one.language == "sh"
    ]


def test_the_python_of_the_docs_runs(folder):
    pytest.importorskip("cv2")
    (folder / "runtime").symlink_to(ROOT / "runtime")
    program = "\n".join(one.text for one in code(ROOT / "docs" / "python.md") if one.mark is None)
    said = re.findall(r"print\(\w+\)  # (.*)", program)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(said) == 2
    assert set(said) <= set(done.stdout.splitlines())
    for name in ("clean.png", "whole.png", "horses.png", "first.png"):
        assert (folder / name).is_file()


def shown_lines(page):
    """What a page shows as typed, in blocks and within sentences."""
    for one in code(page):
        if one.text.startswith("edgevision "):
            yield one.text
    for words in re.findall(r"(?<!`)`(edgevision [^`]+)`(?!`)", page.read_text(encoding="utf-8")):
        yield " ".join(words.split())


def what_is_unknown(line):
    """The first verb or option of ``line`` that the program has not; places for the reader to fill are none."""
    command = typer.main.get_command(cli.app)
    context = command.make_context("edgevision", [], resilient_parsing=True)
    known = {"--debug": None} | named(command, context)
    words = iter(shlex.split(line, comments=True)[1:])
    for word in words:
        if word in ("|", ">", "&&", "||", ";"):
            break
        if re.match(r"--?[A-Za-z]", word):
            name, given, _ = word.partition("=")
            if name not in known:
                return name
            if not given and not getattr(known[name], "is_flag", True):
                next(words, None)
        elif hasattr(command, "list_commands") and not re.match(r"[A-Z{<\[.]", word):
            command = command.get_command(context, word)
            if command is None:
                return word
            context = command.make_context(word, [], parent=context, resilient_parsing=True)
            known |= named(command, context)
    return None


def named(command, context):
    return {name: one for one in command.get_params(context) for name in (*one.opts, *one.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_and_option_that_is_shown_exists(page):
    assert {line: word for line in shown_lines(page) if (word := what_is_unknown(line)) is not None} == {}


def test_a_line_that_is_wrong_is_found():
    assert sum(len(list(shown_lines(page))) for page in PAGES) > 200
    assert what_is_unknown("edgevision run clasify cat.jpg") == "clasify"
    assert what_is_unknown("edgevision export net.pt --int9 -o net.onnx") == "--int9"
    assert what_is_unknown("edgevision --cores 0-3 run TASK INPUT > answers.txt --and so on") is None


def test_the_script_of_every_figure_stands_among_the_measurements():
    scripts = re.findall(r"\[script\]\((benchmarks/\w+\.py)\)", README)
    assert len(scripts) > 5
    measured = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    assert [script for script in scripts if script not in measured or not (ROOT / script).is_file()] == []


def test_the_plain_lines_are_what_make_does():
    makefile = (ROOT / "Makefile").read_text()
    by_hand = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    for extra in ("export", "dev"):
        line = f"--editable '.[{extra}]' --constraint constraints.txt"
        assert line in makefile
        assert line in by_hand
    assert "-m pytest" in makefile
    assert "make test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_the_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target
