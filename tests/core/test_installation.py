"""What an error tells the user to type works where he is."""

import json
import shlex
import sys
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

import pytest

from edgevision.core import installation
from edgevision.core.installation import install_command, pip_command, upgrade_command


class Installed:
    def __init__(self, record: object) -> None:
        self._record = record

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self._record is None else json.dumps(self._record)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Pretend that the package lies in an installation with this record of where it came from."""

    def pretend(record: object) -> None:
        monkeypatch.setattr(installation, "__file__", str(tmp_path / "site-packages/edgevision/core/installation.py"))
        monkeypatch.setattr(Distribution, "from_name", lambda name: Installed(record))

    monkeypatch.setattr(installation, "which", lambda name: str(Path(sys.executable).with_name("pip")))
    return pretend


def make_clone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder / "edgevision").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[project]")
    monkeypatch.setattr(installation, "__file__", str(folder / "edgevision/core/installation.py"))
    return folder


def test_in_a_clone_it_is_the_clone(installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = make_clone(tmp_path / "my clone", monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert install_command("export") == f"pip install --editable '{clone}[export]'"
    assert upgrade_command() == f"git -C '{clone}' pull"
    monkeypatch.chdir(clone)
    assert install_command("export") == "pip install --editable '.[export]'"
    assert install_command() == "pip install --editable ."
    assert install_command("cpu", options="--force-reinstall") == "pip install --force-reinstall --editable '.[cpu]'"
    assert upgrade_command() == "git -C . pull"


def test_from_an_index_it_is_the_name(installed) -> None:
    installed(None)
    assert install_command("export") == "pip install 'edgevision[export]'"
    assert install_command("export", "heif") == "pip install 'edgevision[export,heif]'"
    assert upgrade_command() == "pip install --upgrade edgevision"


def test_from_a_folder_or_a_file_it_is_that_as_long_as_it_is_there(installed, tmp_path: Path) -> None:
    source, wheel = tmp_path / "a clone", tmp_path / "edgevision-1-py3-none-any.whl"
    for record, command in (
        ({"url": source.as_uri(), "dir_info": {}}, f"pip install '{source}[cpu]'"),
        ({"url": wheel.as_uri(), "archive_info": {}}, f"pip install 'edgevision[cpu] @ {wheel.as_uri()}'"),
    ):
        installed(record)
        assert install_command("cpu") == "pip install 'edgevision[cpu]'"
        source.mkdir(exist_ok=True)
        wheel.touch()
        assert install_command("cpu") == command
        assert shlex.split(command)[:2] == ["pip", "install"]
        wheel.unlink()


def test_from_a_repository_it_is_that_commit(installed) -> None:
    installed({"url": "https://example.org/e.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}})
    assert install_command("cpu") == "pip install 'edgevision[cpu] @ git+https://example.org/e.git@abc'"


@pytest.mark.parametrize("record", [[], {"url": 5}, {"vcs_info": 3}, {"url": "file:", "dir_info": {}}, "x"])
def test_a_record_that_makes_no_sense_is_no_reason_to_fail(installed, record: object) -> None:
    installed(record)
    assert install_command("cpu").startswith("pip install ")


def test_without_an_installation_it_is_the_name(installed, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Distribution:
        raise PackageNotFoundError(name)

    installed(None)
    monkeypatch.setattr(Distribution, "from_name", missing)
    assert install_command("cpu") == "pip install 'edgevision[cpu]'"


@pytest.mark.parametrize("found", [None, "/usr/bin/pip"])
def test_another_pythons_pip_is_not_called(found: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "which", lambda name: found)
    monkeypatch.setattr(sys, "executable", "/home/me/my venv/bin/python")
    assert pip_command("install x") == "'/home/me/my venv/bin/python' -m pip install x"
