"""What ``run sequence`` sends to a board, and which lines of a board it believes."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edgevision.core.errors import InputError
from edgevision.runtime.remote.job import Fetched
from edgevision.runtime.remote.remote_command import Document, RemoteCommand
from edgevision.runtime.tasks.sequences.board_files import sequence_files

NOTHING = Fetched(frozenset(), {})


def sent(*sources: object, output: str | None = None) -> RemoteCommand:
    """What the verb sends with these values."""
    given = {"model": None, "output": output, "quiet": True, "as_json": True, "sources": list(map(str, sources))}
    command = RemoteCommand("run sequence", [], given)
    sequence_files(command)
    return command


def lines(source: str, **change: Any) -> list[Document]:
    """What a board prints of a clip of one frame."""
    answer = {"label": "still", "probability": 0.5}
    frame = {"source": source, "frame": 0, "time": 0.0, "latency_ms": 1.5, "predictions": [answer]}
    done = {"source": source, "frames": 1, "dropped": 0, "error": None}
    return [frame | change, {"end": True, "seconds": 1.0, "sources": [done], "counts": {}}]


def test_pictures_of_a_folder_keep_their_order_and_a_video_wants_its_reader(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in (10, 9):
        Image.new("L", (4, 4)).save(folder / f"{number}.png")
    for name in ("wave.gif", "wave.MP4"):
        (tmp_path / name).touch()
    command = sent(folder, tmp_path / "wave.gif")
    assert command.values["sources"] == ["in/00001", "in/00002.gif"]
    assert command.inputs["in/00001/00001.png"] == folder / "9.png"
    assert command.inputs["in/00001/00002.png"] == folder / "10.png"
    assert command.in_user_names("in/00001: 2 frames") == f"{folder}: 2 frames"
    assert command.extras == set()
    assert sent(tmp_path / "wave.MP4").extras == {"video"}


def test_cameras_and_drawn_videos_are_for_the_board_itself(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'camera:0' is a stream, .*on the board itself"):
        sent("camera:0")
    with pytest.raises(InputError, match=r"-o 'out\.mp4' is not made on a board"):
        sent(tmp_path / "wave.gif", output="out.mp4")
    with pytest.raises(InputError, match="holds no pictures"):
        sent(tmp_path)


def test_lines_are_about_the_clips_that_were_sent(tmp_path: Path) -> None:
    (tmp_path / "wave.gif").touch()
    command = sent(tmp_path / "wave.gif")
    assert command.read_lines is not None
    good = lines("in/00001.gif")
    assert command.read_lines(good, NOTHING) == good
    for wrong in (
        lines("in/00002.gif"),
        lines("in/00001.gif", frame="first"),
        lines("in/00001.gif", predictions=[{"label": "still", "probability": 7}]),
        good[:1],
        [*good, good[0]],
    ):
        with pytest.raises(ValueError, match=r"asked for|must be|lies in|lacks"):
            command.read_lines(wrong, NOTHING)
