"""How a server begins and ends, what it does with models that nobody asks, and with requests that nobody waits for."""

import io
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edgevision.runtime.shipped_models import resolve_model

from .conftest import FORM, form, serving


def picture(width: int = 24, height: int = 24) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((width, height), 90).convert("RGB").save(file, "PNG")
    return file.getvalue()


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


@pytest.fixture(scope="module")
def busy() -> Any:
    """A server of a slow model, for one request at once."""
    with serving("denoise", "--queue", "1", "--timeout", "2s", "--memory", "1GB", "--idle-unload", "1h") as client:
        yield client


def test_named_models_are_open_before_it_is_ready(busy):
    assert eventually(lambda: busy.get("/readyz").status == 200)
    text = busy.get("/metrics").body.decode()
    assert 'edgevision_model_loaded{device="cpu",engine="' in text


def test_a_request_whose_time_is_over_is_given_up_and_its_place_is_free(busy):
    reply = busy.run("denoise", {"image": picture(2000, 1000)})
    assert (reply.status, reply.error["kind"]) == (503, "timeout")
    assert eventually(lambda: busy.run("denoise", {"image": picture(8, 8)}).status == 200)


def test_what_a_client_does_not_wait_for_leaves_its_place(busy):
    body = form({"image": picture(2000, 1000)})
    head = f"POST /v1/run/denoise HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['Content-Type']}\r\n"
    with socket.create_connection(("127.0.0.1", busy.port)) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert eventually(lambda: busy.run("denoise", {"image": picture(8, 8)}).status == 429)
    assert eventually(lambda: 'status="499"' in busy.get("/metrics").body.decode())
    assert eventually(lambda: busy.run("denoise", {"image": picture(8, 8)}).status == 200)


def test_what_runs_is_finished_when_it_is_told_to_end(busy):
    replies: list[Any] = []
    asking = threading.Thread(target=lambda: replies.append(busy.run("denoise", {"image": picture(120, 120)})))
    asking.start()
    assert eventually(
        lambda: 'open_requests{task="denoise"} 1.0' in busy.get("/metrics").body.decode() or bool(replies)
    )
    busy.process.send_signal(signal.SIGTERM)
    asking.join()
    assert replies[0].status == 200
    assert busy.process.wait(60) == 143


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the workers are found in /proc")
def test_a_worker_that_is_killed_is_replaced_and_the_others_answer():
    with serving("upscale", "--workers", "2") as client:

        def workers() -> set[int]:
            listed = Path(f"/proc/{client.process.pid}/task/{client.process.pid}/children").read_text().split()
            return {int(pid) for pid in listed if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}

        assert eventually(lambda: len(workers()) == 2)
        assert client.run("upscale", {"image": picture()}).status == 200
        before = workers()
        os.kill(min(before), signal.SIGKILL)
        assert client.run("upscale", {"image": picture()}).status == 200
        assert eventually(lambda: len(workers() - before) == 1 and len(workers()) == 2)
        assert client.run("upscale", {"image": picture()}).status == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "give it a --token-file, or say --open"),
        (["--token", "short"], "a token is from 16"),
        (["--token", "x" * 16, "--token-file", "FILE"], "exclude each other"),
        (["--cert", "FILE"], "TLS takes both"),
        (["--cert", "FILE", "--key", "FILE"], "not a certificate and its key in PEM"),
        (["--timeout", "0"], "--timeout is above zero"),
        (["--allow-origin", "example.org"], "a scheme and a host"),
        (["--max-wait", "soon"], "--max-wait is a time"),
        (["--memory", "much"], "--memory is a size"),
        (["classify", "classify"], "two models are called 'classify'"),
        (["nothing"], "no model of that name ships"),
    ],
)
def test_a_server_that_cannot_be_is_refused_before_it_listens(tmp_path, capsys, arguments, message):
    from edgevision.cli.app import main

    file = tmp_path / "file"
    file.write_text("x" * 20)
    words = [str(file) if word == "FILE" else word for word in arguments]
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--port", "0", *words])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--workers", "2"]], ids=["one process", "workers"])
def test_a_model_that_cannot_be_opened_ends_a_server_that_was_to_serve_it(tmp_path, more):
    model = tmp_path / "model.onnx"
    model.write_bytes(resolve_model("classify").read_bytes().replace(b"Relu", b"Nope"))
    command = [sys.executable, "-m", "edgevision", "serve", "--port", "0", str(model), *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "cannot be loaded by ONNX Runtime" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said_so(capsys):
    from edgevision.cli.app import main

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as ended:
        main(["serve", "classify", "--port", str(taken.getsockname()[1])])
    assert ended.value.code == 2
    assert "cannot be listened at" in capsys.readouterr().err


def test_it_speaks_tls(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    context = ssl.create_default_context(cafile=str(certificate))
    with (
        serving("upscale", "--cert", str(certificate), "--key", str(key)) as client,
        urllib.request.urlopen(f"https://127.0.0.1:{client.port}/healthz", context=context, timeout=60) as reply,
    ):
        assert reply.status == 200


def test_without_the_extra_the_command_that_installs_it_is_named():
    program = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("fastapi", "uvicorn", "starlette", "prometheus_client"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Blocked())
from edgevision.cli.app import main
main(["serve", "--port", "0"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "edgevision[serve]" in done.stderr or ".[serve]" in done.stderr
