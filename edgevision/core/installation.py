"""Commands that install something, as they work here: from where this edgevision came, into the Python that runs it."""

import json
import sys
from pathlib import Path
from shutil import which


def install_command(*extras: str, options: str = "") -> str:
    """The command that installs this edgevision with ``extras``: of the clone, folder or file it came from, if any."""
    from shlex import quote

    wanted = f"[{','.join(extras)}]" if extras else ""
    clone = _clone()
    if clone is not None:
        source = f"--editable {quote(f'{_from_here(clone)}{wanted}')}"
    else:
        place = _place_installed_from()
        source = quote(f"{place}{wanted}" if isinstance(place, Path) else f"edgevision{wanted}{place}")
    return pip_command(f"install {options} {source}" if options else f"install {source}")


def upgrade_command() -> str:
    """The command that brings the newest edgevision."""
    from shlex import quote

    clone = _clone()
    return f"git -C {quote(str(_from_here(clone)))} pull" if clone else install_command(options="--upgrade")


def pip_command(arguments: str) -> str:
    """``pip`` with ``arguments``, by way of this Python where another one's would answer to that name."""
    from shlex import quote

    found = which("pip")
    # Not resolved: the Python of an environment is a link to that of the system.
    ours = found is not None and Path(found).parent == Path(sys.executable).parent
    return f"pip {arguments}" if ours else f"{quote(sys.executable or 'python')} -m pip {arguments}"


def _clone() -> Path | None:
    """The folder of the checkout that this package lies in, if it does."""
    folder = Path(__file__).resolve().parents[2]
    return folder if (folder / "pyproject.toml").is_file() else None


def _from_here(folder: Path) -> Path:
    return Path() if folder == Path.cwd() else folder


def _place_installed_from() -> Path | str:
    """The folder that was installed, or what pip wants behind the name of a package from elsewhere than its index."""
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        record = json.loads(distribution("edgevision").read_text("direct_url.json") or "{}")
        url = str(record.get("url", ""))
        path = Path(url2pathname(urlsplit(url).path)) if url.startswith("file:") else None
        if "dir_info" in record and path is not None:
            return path if path.is_dir() else ""
        if "vcs_info" in record:
            return f" @ {record['vcs_info']['vcs']}+{url}@{record['vcs_info']['commit_id']}"
        return f" @ {url}" if url and (path is None or path.is_file()) else ""
    except (PackageNotFoundError, ValueError, AttributeError, KeyError, TypeError):
        return ""
