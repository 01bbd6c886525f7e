"""The containers: what their files say, and what is in them, which is tried without Docker."""

import io
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from arm64_userland import UserlandError, find_userland
from container_image import DOCKERFILE, arm64_stage, build, debian, in_root, inherited, stages
from PIL import Image

PROJECT = Path(__file__).parents[2]
DOCKER = PROJECT / "docker"
IMAGES = ("cpu", "openvino", "cuda", "pi")


def parsed(name: str) -> Any:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((DOCKER / name).read_text())


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_nobody_and_says_whether_it_is_well(image):
    values = dict(inherited(stages(DOCKERFILE.read_text()), image))
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", values["USER"])
    assert "/healthz" in values["HEALTHCHECK"]
    assert json.loads(values["ENTRYPOINT"]) == ["edgevision"]
    # Whoever starts it without a token gets no open server.
    assert "--token-file" in json.loads(values["CMD"])
    assert "--open" not in json.loads(values["CMD"])


def test_what_is_installed_is_pinned():
    instructions = [one for stage in stages(DOCKERFILE.read_text()).values() for one in stage.instructions]
    installing = [rest for word, rest in instructions if word == "RUN" and "pip install" in rest]
    assert len(installing) == len(IMAGES)
    assert all("--constraint constraints.txt" in run for run in installing)


def test_what_is_copied_is_there_and_is_not_ignored():
    kept = [line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"]
    for stage in stages(DOCKERFILE.read_text()).values():
        for word, rest in stage.instructions:
            for source in rest.split()[:-1] if word == "COPY" and not rest.startswith("--from=") else ():
                assert (PROJECT / source).exists(), source
                assert source in kept


def installed_program(name: str) -> str | None:
    """Beside this Python, which need not be on the path, or on the path."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(name, path=os.pathsep.join([beside, os.environ.get("PATH", "")]))


def test_hadolint_finds_nothing():
    program = installed_program("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([program, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_files_and_prometheus_settings_are_as_their_programs_want_them():
    """By the schema of compose files that check-jsonschema has, and by promtool, as far as those are installed."""
    checks = {
        "check-jsonschema": ["--builtin-schema", "vendor.compose-spec", DOCKER / "compose.yaml"],
        "promtool": ["check", "config", "--syntax-only", DOCKER / "prometheus.yaml"],
    }
    here = {program: words for name, words in checks.items() if (program := installed_program(name))}
    if not here:
        pytest.skip("neither check-jsonschema nor promtool is installed")
    for program, words in here.items():
        done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_compose_starts_what_there_is_and_closes_it():
    composed = parsed("compose.yaml")
    serve = composed["services"]["serve"]
    assert serve["build"]["target"] in stages(DOCKERFILE.read_text())
    assert (PROJECT / serve["build"]["dockerfile"]).is_file()
    assert serve["read_only"] is True
    assert serve["cap_drop"] == ["ALL"]
    for service in composed["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in composed["volumes"] or (DOCKER / source).exists()


def test_prometheus_asks_the_server_where_compose_has_it():
    (job,) = parsed("prometheus.yaml")["scrape_configs"]
    ((target,),) = [config["targets"] for config in job["static_configs"]]
    host, port = target.split(":")
    assert host in parsed("compose.yaml")["services"]
    assert f"EXPOSE {port}" in DOCKERFILE.read_text()
    (source,) = parsed("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["uid"] == "prometheus"
    (provider,) = parsed("grafana/provisioning/dashboards/edgevision.yaml")["providers"]
    assert any(volume.split(":")[1] == provider["options"]["path"] for volume in grafana_volumes())


def grafana_volumes() -> list[str]:
    volumes: list[str] = parsed("compose.yaml")["services"]["grafana"]["volumes"]
    return volumes


def test_every_figure_on_the_dashboard_is_one_that_the_server_gives():
    pytest.importorskip("prometheus_client")
    from edgevision.runtime.serving.metrics import Metrics
    from edgevision.runtime.serving.served_model import Answered, Timings

    metrics = Metrics()
    metrics.ended("classify", 200, 0.1)
    metrics.answered("classify", Answered(picture=None, document=b"{}", timings=Timings(0, 0, 0, 0), batch=1))
    metrics.open_requests("classify", 1)
    metrics.loaded("classify", "cpu", "fake", open_now=True)
    given = {line.partition(" ")[0].partition("{")[0] for line in metrics.text().decode().splitlines()} - {"#"}
    named = {name for expression in expressions() for name in re.findall(r"edgevision_\w+", expression)}
    assert len(named) >= 8
    assert named <= given


def expressions() -> list[str]:
    """What the dashboard asks Prometheus."""
    dashboard = json.loads((DOCKER / "grafana/dashboards/edgevision.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_prometheus_answers_all_that_the_dashboard_asks(tmp_path):
    """As compose starts it: its own settings and words, at addresses of this machine, asking more often."""
    program = installed_program("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed")
    pytest.importorskip("uvicorn")
    token, settings = tmp_path / "token.txt", tmp_path / "prometheus.yaml"
    token.write_text("0123456789abcdef0123456789abcdef")
    with ExitStack() as stack:
        serve = [sys.executable, "-m", "edgevision", "serve", "classify", "--port", "0", "--token-file", str(token)]
        server = stack.enter_context(running(serve, stderr=subprocess.PIPE, text=True))
        port = re.search(r":(\d+) ", server.stderr.readline())[1]
        said = (DOCKER / "prometheus.yaml").read_text()
        for compose, here in (
            ("/run/secrets/edgevision-token", str(token)),
            ("serve:8000", f"127.0.0.1:{port}"),
            ("scrape_interval: 10s", "scrape_interval: 1s"),
        ):
            assert compose in said
            said = said.replace(compose, here)
        settings.write_text(said)
        words = parsed("compose.yaml")["services"]["prometheus"]["command"]
        words = [word.replace("/etc/prometheus/prometheus.yaml", str(settings)) for word in words]
        own = free_port()
        places = [f"--storage.tsdb.path={tmp_path / 'figures'}", f"--web.listen-address=127.0.0.1:{own}"]
        stack.enter_context(running([program, *words, *places], stderr=subprocess.DEVNULL))
        photo = (PROJECT / "examples/pictures/cat.jpg").read_bytes()

        def seen() -> bool:
            ask(f"http://127.0.0.1:{port}/v1/run/classify", token.read_text(), photo)
            return all(answered(own, expression) for expression in expressions())

        wait_until(seen)
        (target,) = asked(own, "targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")


@contextmanager
def running(command: list[str], **options: Any) -> Iterator[Any]:
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def ask(address: str, token: str, photo: bytes) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "multipart/form-data; boundary=b"}
    urlopen(Request(address, form_of(photo), headers), timeout=60).read()


def form_of(photo: bytes) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    return head + photo + b"\r\n--b--\r\n"


def asked(port: int, question: str) -> Any:
    return json.load(urlopen(f"http://127.0.0.1:{port}/api/v1/{question}", timeout=10))["data"]


def answered(port: int, expression: str) -> bool:
    """Whether Prometheus has numbers for it."""
    query = urlencode({"query": expression.replace("$__rate_interval", "1m")})
    try:
        rows = asked(port, f"query?{query}")["result"]
    except HTTPError:  # the expression is wrong
        raise
    except URLError:  # it is not there yet
        return False
    return bool(rows) and all(math.isfinite(float(row["value"][1])) for row in rows)


def wait_until(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.5)


@pytest.mark.parametrize(
    ("name", "needs", "device"),
    [
        ("cpu", {"onnxruntime"}, "ort:cpu"),
        ("openvino", {"onnxruntime", "openvino"}, "openvino:cpu"),
        # Its steps, on the processor that is here.
        ("pi", {"onnxruntime", "av"}, "ort:cpu"),
    ],
)
def test_an_image_holds_what_it_needs_and_no_more(name, needs, device):
    if not os.environ.get("EDGEVISION_CONTAINERS"):
        pytest.skip("make test-containers makes an image without Docker, which takes minutes")
    try:
        debian()
    except UserlandError as error:
        pytest.skip(f"no Debian to begin with: {error}")
    image = build(name)
    as_nobody: dict[str, Any] = {"environment": image.environment, "folder": image.folder, "user": image.user}
    packages = json.loads(in_root(image.root, ["pip", "list", "--format", "json"], **as_nobody))
    installed = {package["name"].lower(): package["version"] for package in packages}
    assert needs | {"edgevision", "fastapi"} <= set(installed)
    assert not set(installed) & {"torch", "onnx", "matplotlib", "pytest"}
    for line in (PROJECT / "constraints.txt").read_text().splitlines():
        name, _, version = line.lower().partition("==")
        assert installed.get(name, version) == version
    assert not (image.root / "source").exists()
    # Nobody special can write nothing but what is meant for it; the root may then be read-only.
    elsewhere = "tmp|proc|dev|sys|var/tmp|run/lock"
    find = f"find / -xdev -writable -not -type l 2>/dev/null | grep -vE '^/({elsewhere})' || true"
    assert in_root(image.root, ["/bin/sh", "-c", find], **as_nobody).split() == []
    # Without the secret it serves nobody; with a server it is well.
    with pytest.raises(UserlandError, match="edgevision-token"):
        in_root(image.root, [*image.entry, *image.command], **as_nobody)
    health = f'{image.health[0]} {image.health[1]} "{image.health[2]}"'
    script = f"""
        {image.entry[0]} serve classify --device {device} --port 8000 &
        for second in $(seq 60); do {health} 2>/dev/null && break; sleep 1; done
        {health} && echo well
    """
    assert in_root(image.root, ["/bin/sh", "-c", script], **as_nobody).strip() == "well"


_SERVED = """
import json, platform, subprocess, sys, time
from urllib.request import Request, urlopen
serve = subprocess.Popen(["edgevision", "serve", "classify", "--device", "ort:cpu", "--port", "8000", "--quiet"])
for _ in range(300):
    try:
        urlopen("http://127.0.0.1:8000/healthz", timeout=30)
        break
    except OSError:
        time.sleep(1)
kind = {"Content-Type": "multipart/form-data; boundary=b"}
form = bytes.fromhex(sys.argv[1])
answer = json.load(urlopen(Request("http://127.0.0.1:8000/v1/run/classify", form, kind), timeout=300))
print(platform.machine(), answer["results"][0]["predictions"][0]["label"])
serve.terminate()
serve.wait()
"""


def test_what_the_pi_image_installs_serves_on_arm64():
    """By its own steps, but for Debian's packages, which are unpacked and not set up; emulated."""
    if not os.environ.get("EDGEVISION_CONTAINERS"):
        pytest.skip("make test-containers makes an image without Docker, which takes minutes")
    if os.geteuid() != 0:
        pytest.skip("only root may chroot")
    try:
        find_userland()
    except UserlandError as error:
        pytest.skip(f"no arm64 to begin with: {error}")
    root, emulator = arm64_stage("build-pi")
    environment = {"PATH": "/opt/edgevision/bin:/usr/bin:/bin", "XDG_CACHE_HOME": "/tmp/cache"}
    photo = io.BytesIO()
    with Image.open(PROJECT / "examples/pictures/cat.jpg") as cat:
        cat.resize((96, 64)).save(photo, "JPEG")
    command = ["python3", "-c", _SERVED, form_of(photo.getvalue()).hex()]
    said = in_root(root, command, environment, user="10001:10001", emulator=emulator)
    assert said.split() == ["aarch64", "cat"]
