"""What runs on the board: this one file, of the standard library alone, is sent over SSH with every call.

A call's standard input is a line of JSON (the request), this source, and what the operation is to receive. Its
standard output is whatever the login shell may have said, the request's nonce and the end of that line, and then JSON
lines: any number of ``{"say": ...}``, ``{"file": ...}`` with as many bytes after it as it announces, every few seconds
``{"alive": true}``, and one ``{"done": ...}`` or ``{"failed": ...}``.

On the board everything lies below ``~/.cache/edgevision``: ``environments``, virtual ones by what is required, ``code``
of edgevision by its content, ``store`` with files by their sha256, and ``jobs``. A job is a folder in which a detached
supervisor, this file again, prepares the environment, lays the code over it, runs that, and leaves how it ended.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

Request = dict[str, Any]

CHUNK = 1 << 20
# A host over the slowest link has to get one whole before it gives up.
_LONGEST_SAY = 1 << 16
_DAY = 24 * 3600
# How old, in days, what nobody used is removed: jobs never collected, environments and copies.
_OLD_JOB, _OLD_FILE = 7, 30
# Every edit of somebody who develops is another code.
_MOST_CODES = 8
_SECONDS_BETWEEN_SIGNS_OF_LIFE = 5.0
_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_TO_END = 5.0
_SECONDS_FOR_CUDA = 20.0
# What pip says of every wheel that it finds in a folder.
_NOT_TELLING = ("Processing ", "Looking in ")


class FailureError(Exception):
    """Something the host is to explain to its user: ``kind`` and what belongs to it."""

    def __init__(self, kind: str, **details: Any) -> None:
        super().__init__(kind)
        self.report = {"kind": kind, **details}


def main(request: Request) -> None:
    """Answer one request on standard output."""
    os.umask(0o077)
    sys.stdout.buffer.write(f"{request['nonce']}\n".encode())
    threading.Thread(target=give_signs_of_life, daemon=True).start()
    try:
        reply(done=OPERATIONS[request["operation"]](request))
    except BrokenPipeError:  # nobody listens any more; the interpreter would complain of that on its way out
        os._exit(1)
    except FailureError as failure:
        reply(failed=failure.report)
    except OSError as error:
        reply(failed=os_failure(error))


# What belongs together on standard output, such as a file and what announces it, is written by one thread at a time.
output_lock = threading.RLock()


def reply(**message: Any) -> None:
    with output_lock:
        sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
        sys.stdout.buffer.flush()


def give_signs_of_life() -> None:
    """Say every few seconds that the board is busy and not dead, until the program ends."""
    while True:
        time.sleep(_SECONDS_BETWEEN_SIGNS_OF_LIFE)
        try:
            reply(alive=True)
        except OSError:  # nobody listens any more
            os._exit(1)


def os_failure(error: OSError) -> dict[str, Any]:
    return {"kind": "os", "errno": error.errno, "message": str(error)}


def cache() -> Path:
    folder = Path.home() / ".cache/edgevision"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# -- what the board is and has


def facts(request: Request) -> dict[str, Any]:
    import platform
    import shutil
    import struct
    from importlib.util import find_spec

    return {
        "system": sys.platform,
        "python": sys.executable,
        "version": platform.python_version(),
        "architecture": platform.machine(),
        "bits": 8 * struct.calcsize("P"),
        "name": platform.node(),
        "free_bytes": shutil.disk_usage(cache()).free,
        "has_venv": find_spec("venv") is not None and find_spec("ensurepip") is not None,
        "has_cuda": bool(request.get("look_for_cuda")) and has_cuda(),
    }


def has_cuda() -> bool:
    """Whether the board's own Python has an onnxruntime with CUDA, as on a Jetson, where no index offers one."""
    import subprocess

    program = "import onnxruntime; print(onnxruntime.get_available_providers())"
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=_SECONDS_FOR_CUDA,
            check=False,
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and "CUDAExecutionProvider" in done.stdout


def missing(request: Request) -> dict[str, Any]:
    """Whether the environment is prepared and the code unpacked, and which of the files the store does not hold."""
    environment, code = environment_folder(request["environment"]), code_folder(request["code"])
    held = {digest for digest in request["files"] if stored(digest).is_file()}
    for path in (environment / "prepared", code, *map(stored, held)):
        if path.exists():
            os.utime(path)  # so that it is not taken for old
    return {
        "prepared": is_prepared(environment),
        "unpacked": code.is_dir(),
        "files": [digest for digest in request["files"] if digest not in held],
    }


def environment_folder(key: str) -> Path:
    return cache() / "environments" / key


def code_folder(key: str) -> Path:
    return cache() / "code" / key


def stored(digest: str) -> Path:
    return cache() / "store" / digest


def store(request: Request) -> None:
    """Receive files, each of which lands under its sha256 only when all of it came and has that sha256."""
    import hashlib
    import shutil

    folder = cache() / "store"
    folder.mkdir(exist_ok=True)
    needed, free = sum(size for _, size in request["files"]), shutil.disk_usage(folder).free
    if needed > free:
        raise FailureError("space", message=f"{needed} bytes are to be copied and {free} are free")
    for digest, size in request["files"]:
        part = folder / f"{digest}.{os.getpid()}.part"
        try:
            received = hashlib.sha256()
            with part.open("wb") as file:
                while size > 0:
                    chunk = sys.stdin.buffer.read(min(size, CHUNK))
                    if not chunk:
                        raise BrokenPipeError
                    received.update(chunk)
                    file.write(chunk)
                    size -= len(chunk)
                file.flush()
                os.fsync(file.fileno())
            if received.hexdigest() != digest:
                raise FailureError("damaged")
            part.chmod(0o400)
            part.replace(folder / digest)
        finally:
            part.unlink(missing_ok=True)


# -- jobs, as the host sees them


def job_folder(request: Request) -> Path:
    return cache() / "jobs" / str(request["job"])


def start(request: Request) -> dict[str, Any]:
    """Begin a job, or find that it runs or has ended well already, as after a host that never came back for it."""
    import shutil
    import subprocess

    job = job_folder(request)
    job.parent.mkdir(exist_ok=True)
    with locked(job.parent / "lock"):
        if job.exists():
            state, age = state_of(job), time.time() - job.stat().st_mtime
            ended_well = state["state"] == "ended" and state.get("code") in (0, 1) and age < _DAY
            if state["state"] == "running" or ended_well:
                return {"taken_up": True, "state": state["state"], "age": age}
            shutil.rmtree(job)
        prune()
        work = job / "work"
        work.mkdir(parents=True)
        for name in request["folders"]:
            (work / name).mkdir()
        for name, digest in request["files"].items():
            provide(digest, work / name)
        source = request["source"].encode()
        order = {"operation": "supervise", "nonce": "", "source_bytes": len(source), "job": request["job"]}
        order |= {key: request[key] for key in ("environment", "code", "arguments")}
        (job / "order").write_bytes(json.dumps(order).encode() + b"\n" + source)
        with (job / "order").open("rb") as stdin, (job / "stderr").open("ab") as stderr:
            supervisor = subprocess.Popen(
                [sys.executable, "-I", "-c", request["boot"]],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        process = {"pid": supervisor.pid, "started": start_time(supervisor.pid), "boot": boot_id()}
        write_whole(job / "process", process)
        supervisor.returncode = 0  # it outlives this process on purpose, which is nothing to warn of
    return {"taken_up": False, "state": "running", "age": 0.0}


def provide(digest: str, target: Path) -> None:
    import shutil

    source = stored(digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def state_of(job: Path) -> dict[str, Any]:
    """``running``, ``ended`` with how, or ``gone``, ``rebooted``, ``killed``."""
    for _ in range(2):
        outcome = read_json(job / "outcome")
        if outcome is not None:
            return {"state": "ended", **outcome}
        process = read_json(job / "process")
        if process is None:
            return {"state": "gone"}
        if process["boot"] != boot_id():
            return {"state": "rebooted"}
        if is_alive(process):
            return {"state": "running"}
        # It may have ended between the two looks, so look once more.
    return {"state": "killed"}


def follow(request: Request) -> dict[str, Any]:
    """Say what the job says, from ``offset`` bytes on and in whole lines, until it has ended."""
    job, offset = job_folder(request), request["offset"]
    while True:
        state = state_of(job)
        text = read_from(job / "stderr", offset)
        end = len(text) if state["state"] != "running" or len(text) >= _LONGEST_SAY else text.rfind(b"\n") + 1
        if end:
            offset += end
            reply(say=text[:end].decode(errors="replace"), offset=offset)
        elif state["state"] != "running":
            return state
        else:
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def fetch(request: Request) -> None:
    """Send regular files of the job's folder with their sizes; ``null`` for one that is not there."""
    for name in request["files"]:
        try:
            descriptor = os.open(job_folder(request) / name, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            reply(file=name, size=None)
            continue
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            with output_lock:
                reply(file=name, size=size)
                copy(file, size)


def copy(file: BinaryIO, size: int) -> None:
    while size > 0 and (chunk := file.read(min(size, CHUNK))):
        sys.stdout.buffer.write(chunk)
        size -= len(chunk)


def stop(request: Request) -> None:
    """End the job and everything it started, and leave word of it for another host that follows it."""
    import signal

    job = job_folder(request)
    process = read_json(job / "process")
    if process is None or process["boot"] != boot_id():
        return
    if start_time(process["pid"]) not in (None, process["started"]):
        return  # the number belongs to another process by now
    if is_alive(process):
        with suppress(OSError):  # a full disk must not keep it running
            write_whole(job / "outcome", {"failed": {"kind": "stopped"}})
    deadline = time.monotonic() + _SECONDS_TO_END
    try:
        os.killpg(process["pid"], signal.SIGTERM)
        while time.monotonic() < deadline and is_alive(process):
            time.sleep(0.05)
        os.killpg(process["pid"], signal.SIGKILL)
    except ProcessLookupError:
        pass


def clear(request: Request) -> None:
    import shutil

    shutil.rmtree(job_folder(request), ignore_errors=True)


def prune() -> None:
    """Remove what nobody used for long, unless some job runs and might be using it."""
    import shutil

    jobs = [path for path in (cache() / "jobs").iterdir() if path.is_dir()]
    if any(state_of(job)["state"] == "running" for job in jobs):
        return
    for job in jobs:
        if age_in_days(job) > _OLD_JOB:
            shutil.rmtree(job, ignore_errors=True)
    for file in (cache() / "store").glob("*"):
        if age_in_days(file) > _OLD_FILE:
            file.unlink(missing_ok=True)
    # Before they had a folder of their own, environments lay beside it.
    for marker in (*cache().glob("environments/*/prepared"), *cache().glob("*/prepared")):
        if age_in_days(marker) > _OLD_FILE:
            shutil.rmtree(marker.parent, ignore_errors=True)
    codes = sorted((cache() / "code").glob("*/"), key=age_in_days)
    for code in codes[_MOST_CODES:]:
        shutil.rmtree(code, ignore_errors=True)


def age_in_days(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / _DAY


# -- the supervisor


def supervise(request: Request) -> None:
    import shutil
    import signal
    import subprocess

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    job = job_folder(request)
    try:
        python = prepare(request["environment"])
        code = unpack(request["code"])
        with (job / "stdout").open("wb") as stdout:
            done = subprocess.run(
                [python, "-P", "-m", "edgevision", *request["arguments"]],
                cwd=job / "work",
                env=clean_environment() | {"PYTHONUTF8": "1", "PYTHONPATH": str(code)},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                check=False,
            )
        outcome: dict[str, Any] = {"code": done.returncode}
    except FailureError as failure:
        outcome = {"failed": failure.report}
    except OSError as error:
        outcome = {"failed": os_failure(error)}
    try:
        write_whole(job / "outcome", outcome)
    except OSError as error:  # a full disk, on which there must be room to say so
        shutil.rmtree(job / "work", ignore_errors=True)
        write_whole(job / "outcome", {"failed": os_failure(error)})


def prepare(wanted: Request) -> str:
    """The Python of the environment, which is made first where it is not there or was left half made."""
    import shutil

    folder = environment_folder(wanted["key"])
    folder.parent.mkdir(exist_ok=True)
    python = str(folder / "bin/python")
    with locked(folder.with_suffix(".lock")):
        if is_prepared(folder):
            return python
        say(f"preparing {folder}, once for all versions with these requirements")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            options = ["--system-site-packages"] if wanted["system_site_packages"] else []
            run_aloud("venv", [sys.executable, "-I", "-m", "venv", *options, str(folder)], folder.parent)
            install(python, folder, wanted)
            write_to_disk(folder)
            (folder / "prepared").write_text(sys.version)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return python


def install(python: str, folder: Path, wanted: Request) -> None:
    import shutil

    scratch = folder / "scratch"  # on the same disk: /tmp is often a small one in memory
    (scratch / "wheels").mkdir(parents=True)
    requirements = scratch / wanted["requirements"]["name"]
    provide(wanted["requirements"]["sha256"], requirements)
    offline = []
    if wanted["wheelhouse"] is not None:
        for name, digest in wanted["wheelhouse"].items():
            provide(digest, scratch / "wheels" / name)
        offline = ["--no-index", "--find-links", str(scratch / "wheels")]
    extras = f"[{','.join(wanted['extras'])}]" if wanted["extras"] else ""
    # Nothing is compiled: neither sources, which takes hours on a board, nor bytecode that may never be needed.
    options = ["--no-input", "--no-cache-dir", "--disable-pip-version-check", "--only-binary", ":all:", "--no-compile"]
    run_aloud("pip", [python, "-P", "-m", "pip", "install", *options, *offline, f"{requirements}{extras}"], scratch)
    shutil.rmtree(scratch)


def unpack(wanted: Request) -> Path:
    """The folder with the code, which is there whole or not at all."""
    import shutil
    import zipfile

    folder, archive = code_folder(wanted["key"]), stored(wanted["sha256"])
    folder.parent.mkdir(exist_ok=True)
    with locked(folder.parent / "lock"):
        if not folder.is_dir():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            try:
                with zipfile.ZipFile(archive) as modules:
                    modules.extractall(part)
                write_to_disk(part)
                part.rename(folder)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
        archive.unlink(missing_ok=True)
    return folder


def run_aloud(kind: str, command: list[str], scratch: Path) -> None:
    """Run a step of the preparation; what it says goes to the host, and its end into the failure, if it fails."""
    import subprocess
    from collections import deque

    last: deque[str] = deque(maxlen=60)
    environment = clean_environment() | {"TMPDIR": str(scratch), "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith(_NOT_TELLING):
                say(line.rstrip())
            last.append(line.rstrip())
    if process.returncode != 0:
        raise FailureError(kind, lines=list(last))


def is_prepared(folder: Path) -> bool:
    """Whether the environment is complete and of the Python that the board has now."""
    marker = folder / "prepared"
    return marker.is_file() and marker.read_text() == sys.version


def clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


# -- processes and files


def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_time(pid: int) -> str | None:
    """When a process started, in the kernel's ticks, so that its number is not taken for another's; ``None`` if dead.

    Field 22 of https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; a zombie counts as dead.
    """
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else rest[18]


def is_alive(process: dict[str, Any]) -> bool:
    return bool(start_time(process["pid"]) == process["started"])


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that goes with the process, however it ends."""
    import fcntl

    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another host prepares this board; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_to_disk(folder: Path) -> None:
    """Else a power cut can leave what lies there with its final name and empty files."""
    with suppress(ImportError, AttributeError):  # a Python without ctypes, a system without the call
        import ctypes

        descriptor = os.open(folder, os.O_RDONLY)
        # os.sync would wait for every other file system too, and one in the network may be gone.
        ctypes.CDLL(None).syncfs(descriptor)
        os.close(descriptor)


def write_whole(path: Path, document: dict[str, Any]) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())  # else a power cut can leave it empty under its final name
    part.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return document


def read_from(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(_LONGEST_SAY)
    except OSError:
        return b""


OPERATIONS: dict[str, Callable[[Request], Any]] = {
    "facts": facts,
    "missing": missing,
    "store": store,
    "start": start,
    "follow": follow,
    "fetch": fetch,
    "stop": stop,
    "clear": clear,
    "supervise": supervise,
}
