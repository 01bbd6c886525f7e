"""Verbs that are known without being imported."""

import re
from ast import literal_eval

import pytest

from edgevision.cli import app as cli

HEAVY = ("torch", "onnxruntime", "openvino", "onnx", "numpy", "PIL", "lightning", "pydantic", "rich")


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["run", "--help"], ["--version"], ["trian"]])
def test_help_is_shown_without_a_verbs_modules(run_python, arguments: list[str]) -> None:
    script = f"""
import sys
from edgevision.cli.app import main
try:
    main({arguments!r})
finally:
    print([name for name in {HEAVY!r} if name in sys.modules])
    print([name for name in sys.modules if name.startswith(("edgevision.runtime", "edgevision.training"))])
"""
    done = run_python("-c", script)
    heavy, ours = map(literal_eval, done.stdout.splitlines()[-2:])
    assert heavy == [], done.stdout + done.stderr
    # A task says in its own room what its verb does.
    of_tasks = r"edgevision\.runtime(\.tasks(\.task|\.\w+(\.(task|spec))?)?)?"
    assert [name for name in ours if arguments[0] != "run" or not re.fullmatch(of_tasks, name)] == []


def test_help_lists_every_verb_with_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name, verb in cli.VERBS.items():
        assert f"{name} {verb.help}" in shown


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["trian"], "Did you mean 'edgevision train'"),
        (["train", "clasify"], "Did you mean 'edgevision train classify'?"),
        (["bnech"], "'edgevision bench'"),
        (["upscale"], "Did you mean 'edgevision run upscale'?"),
        (["inpant", "a.png", "mask.png"], "Did you mean 'edgevision run inpaint'"),
        (["clasify"], "'edgevision train classify', 'edgevision run classify'?"),
        (["run", "evaluate"], "Did you mean 'edgevision evaluate'?"),
    ],
)
def test_a_mistyped_verb_gets_a_suggestion(
    arguments: list[str], suggestion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert suggestion in err
