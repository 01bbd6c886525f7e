"""Hostile inputs by the thousand: each must end as somebody foresaw, soon, in little memory, and leave nothing half.

    python tests/fuzz.py --minutes 10              # as long as one likes; findings are printed as they come
    python tests/fuzz.py --count 20000 --start 0   # these inputs; the same numbers are the same inputs everywhere
    python tests/fuzz.py --only checkpoint:17      # one again, in a folder that stays, with all that it prints

Kinds: pictures, metadata, ONNX, OpenVINO IR, checkpoints, zips of pictures, documents of bench, values of options. Each
runs as a command line in a process that has everything imported, forked from this one, and is killed where it takes
too long.
"""

import argparse
import contextlib
import ctypes
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECONDS = 10.0
"""Of CPU time that one input may take: beside other work the clock tells little."""
HANGING = 60.0
"""Seconds by the clock after which a command that computes nothing is taken for one that waits without end."""
MEGABYTES = 1024
"""What one input may make a command take."""

_UNFORESEEN = re.compile(rb"Traceback \(most recent call last\)|This is a fault of edgevision")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")
_ENDINGS = (0, 1, 2, 3)
_OUTPUTS = ("out.png", "out.jpg", "out.webp", "out.tif", "out.bmp", "out.onnx")


@dataclass(frozen=True)
class Finding:
    """What is wrong with how one input ended."""

    case: str
    what: str
    said: str = ""

    def __str__(self) -> str:
        return f"{self.case}: {self.what}{': ' if self.said else ''}{self.said}"


def make_seeds(folder: Path) -> None:
    """Sound inputs, made in a process of its own: one that has run a network must not be forked."""
    program = (
        "import sys; from pathlib import Path; from fuzzing.seeds import write_seeds; write_seeds(Path(sys.argv[1]))"
    )
    here = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(folder)], check=True, env=os.environ | here)
    for number, threads in enumerate(("1", "2")):
        words = ["bench", str(folder / "onnx" / "classify.onnx"), "--seconds", "0.2", "--threads", threads]
        words += ["-o", str(folder / "compare" / f"{number}.json"), "-q"]
        command = [sys.executable, "-m", "edgevision", *words]
        subprocess.run(command, check=True, env=os.environ | here, capture_output=True)


def run_case(case: str, seeds: Path, folder: Path) -> list[Finding]:
    """Run one input in this process and judge how it ended."""
    from fuzzing.attempts import attempt

    kind, number = case.split(":")
    words = attempt(kind, int(number), seeds, folder)
    before = {path.name for path in folder.iterdir()}
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    held = _megabytes("VmRSS")
    ending, out, err = _call(words, folder)
    taken = _megabytes("VmHWM") - held
    said = err.decode("utf-8", "replace").strip()[-300:]
    left = {path.name for path in folder.iterdir()} - before
    findings = []
    if ending not in _ENDINGS or _UNFORESEEN.search(out + err):
        findings.append(Finding(case, f"ends with {ending}", said))
    if _CONTROL.search(out + err):
        findings.append(Finding(case, "control characters are printed", repr(_CONTROL.findall(out + err)[:3])))
    if taken > MEGABYTES:
        findings.append(Finding(case, f"takes {taken} MB", said))
    if ending == 0 and "--json" in words and not _is_json(out):
        findings.append(Finding(case, "what --json prints is no JSON", out.decode("utf-8", "replace")[:200]))
    if ending not in (0, 1) and left & set(_OUTPUTS):
        findings.append(Finding(case, f"leaves an output with exit code {ending}", said))
    if strays := [name for name in left if name.startswith(".edgevision-")]:
        findings.append(Finding(case, f"leaves {strays}", said))
    return findings


def _call(words: list[str], folder: Path) -> tuple[object, bytes, bytes]:
    """How the command line ends, and what it printed through whatever layer."""
    from edgevision.cli.app import main

    ending: object = 0
    printed = [folder.parent / name for name in ("stdout", "stderr")]
    with _redirected(printed):
        try:
            main(words)
        except SystemExit as error:
            ending = 0 if error.code is None else error.code
        except BaseException as error:
            ending = f"{type(error).__name__}: {error}"
    out, err = (path.read_bytes() for path in printed)
    return ending, out, err


@contextlib.contextmanager
def _redirected(files: list[Path]) -> Iterator[None]:
    """Both streams into files, those of the libraries' C++ too."""
    python = sys.stdout, sys.stderr
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with contextlib.ExitStack() as opened:
            for number, path in enumerate(files, 1):
                stream = opened.enter_context(path.open("wb"))
                os.dup2(stream.fileno(), number)
            sys.stdout, sys.stderr = (
                opened.enter_context(os.fdopen(os.dup(number), "w", encoding="utf-8")) for number in (1, 2)
            )
            yield
    finally:
        sys.stdout, sys.stderr = python
        for number, copy in enumerate(kept, 1):
            os.dup2(copy, number)
            os.close(copy)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _megabytes(key: str) -> int:
    found = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) // 1024 if found else 0


class Worker:
    """A forked process that runs one case after the other, and is replaced where it has to be killed."""

    def __init__(self, seeds: Path, scratch: Path) -> None:
        self._seeds, self._scratch = seeds, scratch
        self.case: str | None = None
        self._start()

    def give(self, case: str) -> None:
        """Start on a case."""
        self.case, self._since, self._spent = case, time.monotonic(), self._cpu_seconds()
        os.write(self._to_child, f"{case}\n".encode())

    @property
    def answers(self) -> int:
        """To wait for."""
        return self._from_child

    @property
    def overdue(self) -> str | None:
        """Why its case has to be ended, if it has."""
        if self._cpu_seconds() - self._spent > SECONDS:
            return f"takes more than {SECONDS:.0f} s of CPU time"
        return f"hangs for {HANGING:.0f} s" if time.monotonic() - self._since > HANGING else None

    def take(self) -> list[Finding]:
        """What it found, once :attr:`answers` can be read."""
        data = b""
        while not data.endswith(b"\n"):
            piece = os.read(self._from_child, 65536)
            if not piece:
                return self.replace(None)
            data += piece
        self.case, case = None, self.case
        return [Finding(str(case), *parts) for parts in json.loads(data)]

    def replace(self, why: str | None) -> list[Finding]:
        """Kill it and start another; the finding says ``why``, or by which signal it died."""
        os.kill(self._child, signal.SIGKILL)
        _, status = os.waitpid(self._child, 0)
        case = str(self.case)
        self.case = None
        self._start()
        return [Finding(case, why or f"kills the process with signal {os.waitstatus_to_exitcode(status)}")]

    def stop(self) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)

    def _cpu_seconds(self) -> float:
        """Of the child and of its threads, by proc(5)."""
        fields = Path(f"/proc/{self._child}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _start(self) -> None:
        child_reads, self._to_child = os.pipe()
        self._from_child, child_writes = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            _die_with_parent()
            with os.fdopen(child_reads) as cases:
                for line in cases:
                    with tempfile.TemporaryDirectory(dir=self._scratch) as name:
                        folder = Path(name, "work")
                        folder.mkdir()
                        os.chdir(folder)
                        found = run_case(line.strip(), self._seeds, folder)
                        os.chdir(self._scratch)
                    answer = json.dumps([(finding.what, finding.said) for finding in found])
                    os.write(child_writes, answer.encode() + b"\n")
            os._exit(0)
        os.close(child_reads)
        os.close(child_writes)


def _die_with_parent() -> None:
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def fuzz(cases: Iterator[str], *, workers: int = 2) -> Iterator[tuple[str, list[Finding]]]:
    """Run the cases, each as ``kind:number``, and yield each with what is wrong about it."""
    _import_everything()
    with tempfile.TemporaryDirectory(prefix="edgevision-fuzz-") as name:
        seeds, scratch = Path(name, "seeds"), Path(name, "scratch")
        scratch.mkdir()
        make_seeds(seeds)
        pool = [Worker(seeds, scratch) for _ in range(workers)]
        try:
            for worker in pool:
                if (case := next(cases, None)) is not None:
                    worker.give(case)
            while busy := [worker for worker in pool if worker.case is not None]:
                ready, _, _ = select.select([worker.answers for worker in busy], [], [], 0.5)
                for worker in busy:
                    case = str(worker.case)
                    if worker.answers in ready:
                        findings = worker.take()
                    elif why := worker.overdue:
                        findings = worker.replace(why)
                    else:
                        continue
                    if (following := next(cases, None)) is not None:
                        worker.give(following)
                    yield case, findings
        finally:
            for worker in pool:
                worker.stop()


def _import_everything() -> None:
    """What the commands import late, so that it is done once and not in each worker."""
    # Threads that wait for each other would count as CPU time.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import onnxruntime
    import openvino  # noqa: F401

    import edgevision.exporters.commands
    import edgevision.runtime.commands.bench
    import edgevision.runtime.commands.compare
    import edgevision.runtime.commands.evaluate
    import edgevision.runtime.commands.inspect
    import edgevision.runtime.tasks.classification.command
    import edgevision.runtime.tasks.generation.command
    import edgevision.runtime.tasks.restoration.command
    import edgevision.training.commands.classify  # noqa: F401

    onnxruntime.set_default_logger_severity(3)


def all_cases(start: int = 0) -> Iterator[str]:
    """Without end, the kinds in turn."""
    from fuzzing.attempts import KINDS

    number = start
    while True:
        for kind in KINDS:
            yield f"{kind}:{number}"
        number += 1


def main() -> None:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--count", type=int, help="so many inputs, however long it takes")
    parser.add_argument("--start", type=int, default=0, help="the number of the first input of each kind")
    parser.add_argument("--kind", action="append", help="only these")
    parser.add_argument("--only", help="one input, as kind:number")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.only:
        _show(options.only)
        return
    end = time.monotonic() + 60 * options.minutes
    done, wrong = Counter[str](), Counter[str]()
    wanted = (case for case in all_cases(options.start) if not options.kind or case.split(":")[0] in options.kind)
    if options.count:
        cases: Iterator[str] = (case for _, case in zip(range(options.count), wanted, strict=False))
    else:
        cases = _until(end, wanted)
    for case, findings in fuzz(cases, workers=options.workers):
        kind = case.split(":")[0]
        done[kind] += 1
        for finding in findings:
            wrong[kind] += 1
            print(finding, flush=True)
    for kind, count in done.items():
        print(f"{kind:12} {count:6} inputs, {wrong[kind]} findings")
    print(f"{sum(done.values())} inputs, {sum(wrong.values())} findings")
    sys.exit(int(bool(wrong)))


def _until(end: float, cases: Iterator[str]) -> Iterator[str]:
    for case in cases:
        if time.monotonic() > end:
            return
        yield case


def _show(case: str) -> None:
    from fuzzing.attempts import attempt

    folder = Path(tempfile.mkdtemp(prefix="edgevision-fuzz-"))
    make_seeds(folder / "seeds")
    (folder / "work").mkdir()
    kind, number = case.split(":")
    words = attempt(kind, int(number), folder / "seeds", folder / "work")
    print("edgevision", *map(repr, words), "--debug", flush=True)
    subprocess.run([sys.executable, "-m", "edgevision", *words, "--debug"], cwd=folder / "work", check=False)
    print(f"the files are in {folder}; remove it when done")


if __name__ == "__main__":
    main()
