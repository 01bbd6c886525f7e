"""What is uploaded stays in memory: no temporary file is made of it, by any process of the server."""

import http.client
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import FORM, form, serving

_WRITABLE = os.O_WRONLY | os.O_RDWR

pytestmark = pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="open files are seen in Linux's /proc")


def _written(process: int) -> set[str]:
    """The files on a disk, deleted ones too, that a process and those it started hold open to write into them."""
    found = set()
    for one in (process, *_started_by(process)):
        for opened in Path(f"/proc/{one}/fd").iterdir():
            try:
                target = str(opened.readlink())
                flags = Path(f"/proc/{one}/fdinfo/{opened.name}").read_text().split("flags:")[1].split()[0]
            except FileNotFoundError:
                continue  # closed since
            if target.startswith("/") and not target.startswith("/dev/") and int(flags, 8) & _WRITABLE:
                found.add(target)
    return found


def _started_by(process: int) -> Iterator[int]:
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            yield child
            yield from _started_by(child)


def test_a_temporary_file_would_be_seen(tmp_path):
    before = _written(os.getpid())
    with tempfile.TemporaryFile(dir=tmp_path):
        (seen,) = _written(os.getpid()) - before
    assert seen.startswith(str(tmp_path))


def test_a_large_upload_never_touches_the_disk(tmp_path, monkeypatch):
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(tmp_path))
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "PNG", compress_level=0)
    body = form({"image": file.getvalue()})
    assert len(body) > 12 << 20
    with serving("classify") as server:
        # The model is open, and what it takes is there.
        small = io.BytesIO()
        Image.fromarray(noise[:20, :20]).save(small, "PNG")
        assert server.run("classify", {"image": small.getvalue()}).status == 200
        before = _written(server.process.pid)
        touched = tmp_path.stat().st_mtime_ns  # changes with every file that is made or deleted in it
        during: set[str] = set()

        def parts() -> Iterator[bytes]:
            for start in range(0, len(body), 1 << 20):
                yield body[start : start + (1 << 20)]
                during.update(_written(server.process.pid))

        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/v1/run/classify", parts(), FORM | {"Content-Length": str(len(body))})
        during |= _written(server.process.pid)
        assert connection.getresponse().status == 200
        connection.close()
        during |= _written(server.process.pid)
        assert during - before == set()
        assert tmp_path.stat().st_mtime_ns == touched
