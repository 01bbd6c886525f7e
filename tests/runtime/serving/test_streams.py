"""Frames by WebSocket: each is answered, and of those that wait the newest."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def frame(shade: int, side: int = 24) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (shade, 90, 200)).save(file, "JPEG")
    return file.getvalue()


@contextmanager
def stream(server: Any, path: str, **options: Any) -> Iterator[Any]:
    with connect(
        f"ws://127.0.0.1:{server.port}/v1/stream/{path}", open_timeout=60, close_timeout=10, **options
    ) as open_:
        yield open_


def test_a_frame_is_answered_as_a_picture_is(server):
    with stream(server, "classify?top=2&model=classify") as socket:
        for number, shade in enumerate((10, 200)):
            socket.send(frame(shade))
            answer = json.loads(socket.recv(timeout=60))
            assert answer["frame"] == number
            (result,) = answer["results"]
            alone = server.run("classify", {"image": frame(shade)}, top="2").json["results"][0]
            assert result["predictions"] == alone["predictions"]


def test_tasks_that_make_pictures_answer_with_them(server):
    with stream(server, "brighten") as socket:
        socket.send(frame(20))
        made = socket.recv(timeout=60)
    assert made == server.run("brighten", {"image": frame(20)}).body
    with stream(server, "keypoints?answer=picture") as socket:
        socket.send(frame(20))
        assert socket.recv(timeout=60)[:2] == b"\xff\xd8"


def test_of_frames_that_wait_only_the_newest_is_answered(server):
    with stream(server, "denoise") as socket:
        frames = [frame(shade, 160) for shade in range(0, 240, 8)]
        for one in frames:
            socket.send(one)
        answers = [socket.recv(timeout=60)]
        newest = server.run("denoise", {"image": frames[-1]}).body
        while answers[-1] != newest:
            answers.append(socket.recv(timeout=60))
    assert len(answers) < len(frames)


def test_a_frame_that_is_none_is_answered_by_its_error_and_the_next_by_its_answer(server):
    with stream(server, "classify") as socket:
        socket.send(b"no picture")
        answer = json.loads(socket.recv(timeout=60))
        assert (answer["frame"], answer["error"]["kind"]) == (0, "picture")
        socket.send(frame(5))
        assert json.loads(socket.recv(timeout=60))["results"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("nothing", 4404),
        ("inpaint", 4422),
        ("generate", 4422),
        ("classify?top=0", 4422),
        ("classify?model=denoise", 4422),
        ("classify?answer=picture", 4422),
    ],
)
def test_a_stream_that_cannot_be_is_closed_with_the_reason(server, path, code):
    with stream(server, path) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    assert closed.value.rcvd.reason


def test_a_page_of_another_server_gets_no_stream(server):
    with pytest.raises(Exception, match="403"), stream(server, "classify", origin="https://evil.example"):
        pass
