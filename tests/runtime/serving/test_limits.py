"""What a server refuses, before and while it answers, and what it says then."""

import asyncio
import io
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edgevision.runtime.serving import bounded_connections, run_endpoint
from edgevision.runtime.serving.catalogue import open_catalogue
from edgevision.runtime.serving.processes import listening_socket, make_server
from edgevision.runtime.serving.settings import ServerSettings
from edgevision.runtime.shipped_models import shipped_model

from .conftest import FORM, Client, form, serving

TOKEN = "a-token-of-the-test"


@pytest.fixture(scope="module")
def limited() -> Any:
    """A server of one model with narrow limits and a token, and a page of another server that may ask."""
    options = ("--max-bytes", "64KB", "--max-pixels", "10000", "--queue", "2", "--timeout", "20s", "--max-wait", "0")
    access = ("--token", TOKEN, "--allow-origin", "https://example.org")
    with serving("classify", "upscale", *options, *access) as client:
        yield client


def encoded(width: int = 20, height: int = 20, kind: str = "PNG", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height), 90).save(file, kind)
    return file.getvalue()


def run(client: Client, body: bytes, headers: Any = None, task: str = "classify") -> Any:
    own = {"Authorization": f"Bearer {TOKEN}"} | FORM | (headers or {})
    return client.ask("POST", f"/v1/run/{task}", body, own)


@pytest.mark.parametrize(
    ("task", "body", "status", "kind"),
    [
        ("classify", b"", 400, "form"),
        ("classify", b"no form", 400, "form"),
        ("classify", form({"image": encoded()})[:-30], 400, "form"),
        ("classify", form({}), 422, "file"),
        ("classify", form({"image": b"no picture at all"}), 415, "format"),
        ("classify", form({"image": encoded()[:60]}), 422, "picture"),
        ("classify", form({"image": encoded(), "mask": encoded()}), 422, "file"),
        ("classify", form({"image": encoded()}, top="0"), 422, "option"),
        ("classify", form({"image": encoded()}, top="many"), 422, "option"),
        ("classify", form({"image": encoded()}, top=["1", "2"]), 422, "option"),
        ("classify", form({"image": encoded()}, bottom="1"), 422, "option"),
        ("classify", form({"image": encoded()}, model="upscale"), 422, "model"),
        ("classify", form({"image": encoded()}, model="other"), 404, "model"),
        ("classify", form({"image": encoded(200, 100)}), 413, "pixels"),
        ("classify", form({"image": bytes(70_000)}), 413, "bytes"),
        # Four times as many pixels would be made of it as a picture may have.
        ("upscale", form({"image": encoded(90, 40)}), 413, "pixels"),
        ("inpaint", form({"image": encoded()}), 404, "task"),
        ("remove", form({"image": encoded()}), 404, "task"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused(limited, task, body, status, kind):
    reply = run(limited, body, task=task)
    assert (reply.status, reply.error["kind"]) == (status, kind)
    assert reply.error["message"]


def test_no_refusal_holds_a_path_of_the_server(limited):
    damaged = form({"image": (r"C:\Users\me\..\/home/me/photo.png", encoded()[:60])})
    message = run(limited, damaged).error["message"]
    assert "photo.png" in message
    assert "/" not in message
    assert "\\" not in message


def test_only_forms_with_a_boundary_are_read(limited):
    for kind in ("image/png", "multipart/form-data", "application/x-www-form-urlencoded"):
        assert run(limited, form({"image": encoded()}), {"Content-Type": kind}).status == 415


def test_a_body_without_a_length_is_not_read_beyond_the_limit(limited):
    head = f"POST /v1/run/classify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += f"Content-Type: {FORM['Content-Type']}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", limited.port), 30) as connection:
        connection.sendall(
            head.encode() + b"8000\r\n" + bytes(0x8000) + b"\r\n" + b"8001\r\n" + bytes(0x8001) + b"\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
def test_without_the_token_nothing_is_told(limited, given):
    for path in ("/v1/models", "/v1/tasks", "/metrics"):
        reply = limited.get(path, Authorization=given)
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
    for path in ("/healthz", "/readyz", "/docs"):
        assert limited.get(path).status == 200


def test_pages_of_other_servers_may_ask_only_if_they_are_named(limited, server):
    good = {"Origin": "https://example.org"}
    assert run(limited, form({"image": encoded()}), good).headers["access-control-allow-origin"] == good["Origin"]
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    assert limited.ask("OPTIONS", "/v1/run/classify", None, good | preflight).status == 200
    for client in (limited, server):
        reply = run(client, form({"image": encoded()}), {"Origin": "https://evil.example"})
        assert (reply.status, reply.error["kind"]) == (403, "origin")
    own = {"Origin": f"http://127.0.0.1:{server.port}"}
    assert run(server, form({"image": encoded()}), own).status == 200


def test_a_name_that_is_not_of_this_machine_is_not_answered_to(server):
    assert server.get("/healthz", Host=f"localhost:{server.port}").status == 200
    assert server.get("/healthz", Host=f"[::1]:{server.port}").status == 200
    assert server.get("/healthz", Host="evil.example").error["kind"] == "host"


def test_more_requests_than_there_is_room_for_are_told_to_come_again(limited):
    body = form({"image": encoded()})
    head = f"POST /v1/run/classify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    slow = [socket.create_connection(("127.0.0.1", limited.port), 30) for _ in range(2)]
    try:
        for connection in slow:
            connection.sendall(head.encode() + body[:20])
        deadline = time.monotonic() + 20
        while (reply := run(limited, body)).status == 200 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (reply.status, reply.error["kind"]) == (429, "busy")
        assert int(reply.headers["retry-after"]) >= 1
        # One that goes without having asked for anything leaves its place.
        slow.pop().close()
        while (reply := run(limited, body)).status == 429 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert reply.status == 200
        slow[0].sendall(body[20:])
        assert slow[0].recv(100).startswith(b"HTTP/1.1 200")
    finally:
        for connection in slow:
            connection.close()


def test_one_that_does_not_send_on_loses_its_place_in_time():
    body = form({"image": encoded()})
    head = f"POST /v1/run/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['Content-Type']}\r\n"
    with serving("classify", "--queue", "1", "--timeout", "2s") as client:
        with socket.create_connection(("127.0.0.1", client.port), 30) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:20])
            assert connection.recv(100).startswith(b"HTTP/1.1 408")
        assert client.run("classify", {"image": encoded()}).status == 200


def test_what_goes_on_shows_in_the_metrics(limited):
    run(limited, form({"image": encoded()}))
    run(limited, b"")
    text = limited.get("/metrics", Authorization=f"Bearer {TOKEN}").body.decode()
    assert 'edgevision_requests_total{status="200",task="classify"}' in text
    assert 'edgevision_requests_total{status="400",task="classify"}' in text
    assert 'edgevision_request_seconds_bucket{le="0.1",task="classify"}' in text
    assert 'edgevision_batch_size_count{model="classify"}' in text
    assert 'edgevision_model_loaded{device="cpu",engine="' in text
    assert float(text.partition("\nedgevision_resident_bytes ")[2].split()[0]) > 1e7


def test_requests_of_the_same_moment_get_their_own_answers(server):
    images = [Image.new("RGB", (32, 32), (8 * i, 255 - 8 * i, 90)) for i in range(12)]
    bodies = []
    for image in images:
        file = io.BytesIO()
        image.save(file, "PNG")
        bodies.append({"image": file.getvalue()})
    alone = [server.run("classify", body, top="10").json["results"] for body in bodies]
    together: list[Any] = [None] * len(bodies)

    def ask(place: int) -> None:
        together[place] = server.run("classify", bodies[place], top="10").json["results"]

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_what_there_is_to_ask_is_told(server):
    tasks = {task["name"]: task for task in server.get("/v1/tasks").json["tasks"]}
    assert tasks["inpaint"]["inputs"] == ["image", "mask"]
    assert tasks["generate"]["inputs"] == []
    assert tasks["detect"]["answer"] == "both"
    options = {option["name"]: option for option in tasks["inpaint"]["options"]}
    assert options["fill"]["choices"] == ["auto", "texture", "smooth"]
    assert (options["quality"]["default"], options["quality"]["minimum"], options["quality"]["maximum"]) == (95, 1, 100)
    models = server.get("/v1/models").json["models"]
    composed = {"cutout", "remove", "replace"}
    assert {model["task"] for model in models} == set(tasks) - composed
    assert composed < set(tasks)
    assert tasks["replace"]["optional"] == ["mask"]
    for task in set(tasks) - composed:
        assert len([model for model in models if model["task"] == task and model["default"]]) == 1
    model = server.get("/v1/models/classify").json
    assert model["metadata"]["name"] == "cifar10-resnet20"
    assert model["data_licence"] == model["metadata"]["provenance"]["data_licence"]
    assert "CIFAR-10" in model["card"]
    assert server.get("/v1/models/nothing").status == 404
    assert str(Path(__file__).parents[3]) not in server.get("/v1/models").body.decode()


def test_the_description_is_complete_and_needs_no_other_server(server):
    document = server.get("/openapi.json").json
    page = server.get("/docs").body.decode()
    assert "http-equiv=Content-Security-Policy" in page
    assert "<script" not in page
    for task in server.get("/v1/tasks").json["tasks"]:
        operation = document["paths"][f"/v1/run/{task['name']}"]["post"]
        schema = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
        for option in task["options"]:
            assert option["name"] in schema["properties"]
            assert f"<code>{option['name']}</code>" in page


def test_an_address_where_nothing_is_says_where_to_look(server):
    for method, path in (("GET", "/nothing"), ("GET", "/page/../settings.py"), ("GET", "/v1/run/classify")):
        reply = server.ask(method, path)
        assert reply.status in (404, 405)
        assert json.loads(reply.body)["error"]["message"]


def test_another_method_is_refused_with_the_one_that_is_meant(server):
    for method, path, meant in (("GET", "/v1/run/classify", "POST"), ("POST", "/healthz", "GET")):
        reply = server.ask(method, path)
        assert (reply.status, reply.error["kind"]) == (405, "method")
        assert meant in reply.headers["allow"].split(", ")


@pytest.fixture
def bounded(monkeypatch) -> Any:
    """The port of a server in this process that gives headers a second, and has four connections."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)  # a server sets it for its process
    monkeypatch.setattr(bounded_connections, "HEADER_SECONDS", 1.0)
    settings = ServerSettings(models=(shipped_model("classify"),), port=0, threads=1, connections=4)
    with listening_socket(settings) as listener:
        running = make_server(settings, open_catalogue(settings.models), lambda error: None)
        # Signals are for the main thread.
        thread = threading.Thread(target=lambda: asyncio.run(running.serve([listener])))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join()


def closed_within(connection: socket.socket, seconds: float) -> bool:
    """Whether the other end closes it; what it says before is passed over."""
    connection.settimeout(seconds)
    try:
        while connection.recv(1000):
            pass
        return True
    except TimeoutError:
        return False


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: "])
def test_who_never_finishes_the_headers_is_not_waited_for(bounded, begun):
    with socket.create_connection(("127.0.0.1", bounded), 30) as connection:
        connection.sendall(begun)
        for _ in range(3):  # a byte now and then does not put it off
            time.sleep(0.2)
            if begun:
                connection.sendall(b"a")
        assert closed_within(connection, 20)


def test_a_later_request_of_a_connection_has_to_come_whole_too(bounded):
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", bounded), 30) as connection:
        connection.sendall(whole)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.sendall(whole[:20])
        assert closed_within(connection, 20)


def test_there_are_only_so_many_connections(bounded):
    taken = [socket.create_connection(("127.0.0.1", bounded), 30) for _ in range(4)]
    try:
        with socket.create_connection(("127.0.0.1", bounded), 30) as another:
            reply = another.recv(1000)
        assert reply.startswith(b"HTTP/1.1 503 ")
        head, _, body = reply.partition(b"\r\n\r\n")
        assert json.loads(body)["error"]["kind"] == "connections"
        assert f"content-length: {len(body)}".encode() in head
        # Those that ask nothing make room by themselves.
        for connection in taken:
            assert closed_within(connection, 20)
        with socket.create_connection(("127.0.0.1", bounded), 30) as another:
            another.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert another.recv(1000).startswith(b"HTTP/1.1 200")
    finally:
        for connection in taken:
            connection.close()


def test_a_body_that_stops_coming_is_not_waited_for(bounded, monkeypatch):
    monkeypatch.setattr(run_endpoint, "_LONGEST_SILENCE", 0.5)
    head = f"POST /v1/run/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['Content-Type']}\r\n"
    with socket.create_connection(("127.0.0.1", bounded), 30) as connection:
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n--".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_a_websocket_may_be_silent(bounded):
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{bounded}/v1/stream/classify") as stream:
        time.sleep(1.5)
        stream.send(encoded())
        assert json.loads(stream.recv(30))["frame"] == 0
