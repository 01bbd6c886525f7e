"""Shell completion, as the scripts of ``--show-completion`` ask for it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
import os, sys
os.environ |= {"COMP_WORDS": sys.argv[1], "COMP_CWORD": sys.argv[2], "_TYPER_COMPLETE_ARGS": sys.argv[1]}
os.environ["_EDGEVISION_COMPLETE"] = f"complete_{sys.argv[3]}"
sys.argv[1:] = []
from edgevision.cli.app import main
try:
    main()
finally:
    heavy = ("torch", "onnxruntime", "onnx", "pydantic", "rich", "numpy")
    print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""


@pytest.fixture
def complete(run_python):
    def ask(line: str, shell: str = "bash") -> tuple[str, str]:
        """What the shell gets for the last word of the line, and which heavy modules that took."""
        done = run_python("-c", ASK, line, str(len(line.split(" ")) - 1), shell)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    return ask


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("edgevision ru", ["run"]),
        ("edgevision run de", ["detect", "decompress", "denoise"]),
        ("edgevision di", ["diff"]),
        (
            "edgevision train ",
            [
                *("classify", "sequence", "detect", "segment", "keypoints"),
                *("gan", "vae", "restore", "stylize", "translate", "compress"),
            ],
        ),
        ("edgevision --ver", ["--version"]),
    ],
)
def test_verbs_are_completed_without_importing_any(complete, line, words):
    out, heavy = complete(line)
    assert (out.split(), heavy) == (words, "[]\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("edgevision compare --fail", ["--fail-if-slower"]),
        ("edgevision train restore --kind ", ["inpaint", "denoise", "upscale", "brighten", "colorize"]),
        ("edgevision inspect den", ["denoise", "denoise_white"]),
        ("edgevision export net.pth --task de", ["detect", "decompress", "denoise"]),
        ("edgevision inspect upscale", ["upscale", "upscale_x4"]),
    ],
)
def test_options_choices_and_models_are_completed(complete, line, words):
    assert complete(line)[0].split() == words


def test_model_files_and_folders_are_completed_too(complete, tmp_path):
    (tmp_path / "models").mkdir()
    for name in ("a.onnx", "b.xml", "c.txt"):
        (tmp_path / name).touch()
    out, _ = complete(f"edgevision inspect {tmp_path}/")
    assert out.split() == [f"{tmp_path}/{name}" for name in ("a.onnx", "b.xml", "models/")]


def test_the_help_of_what_can_be_completed_is_shown_as_it_stands(complete):
    out, heavy = complete("edgevision ", "zsh")
    assert '"run":"Run a model on files, folders, globs or standard input."' in out
    assert heavy == "[]\n"
    assert "Folder or zip of [train/]CLASS/picture" in complete("edgevision train classify --dat", "zsh")[0]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_completion_is_installed_for_bash_and_works_there(tmp_path):
    program = tmp_path / "edgevision"
    program.write_text(f"#!{sys.executable}\nfrom edgevision.cli.app import main\nmain()\n")
    program.chmod(0o755)
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    script = (
        "edgevision --install-completion\nsource ~/.bashrc\n"
        "COMP_WORDS=(edgevision run den) COMP_CWORD=2\n_edgevision_completion edgevision\necho found ${COMPREPLY[*]}\n"
    )
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, env=environment)
    assert "found denoise" in done.stdout.splitlines(), done.stdout + done.stderr
    assert str(tmp_path / ".bash_completions/edgevision.sh") in done.stdout
