"""``edgevision bench --stream`` on clips and patterns."""

import csv
import json

import numpy as np
import pytest

pytest.importorskip("av")

from edgevision.core.errors import InputError
from edgevision.runtime.benchmark.report_files import read_report
from edgevision.runtime.benchmark.settings import Settings
from edgevision.runtime.benchmark.stream_latency import measure_stream
from edgevision.runtime.benchmark.stream_report import STAGES, Moment, StreamReport, memory_slope
from tests.runtime.benchmark.test_page import Tags
from tests.runtime.streams.clips import write_clip

QUICK = ("--warmup", 0, "--seconds", 1)
PATTERN = "lavfi:testsrc=size=64x48:rate=100,realtime"


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", 40)


def test_every_frame_of_a_file_is_answered_in_stages(edgevision, write_colours, clip, tmp_path):
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "csv", "html")}
    code, out, err = edgevision(
        "bench", write_colours(), "--stream", clip, *QUICK,
        "-o", files["json"], "--csv", files["csv"], "--html", files["html"],
    )  # fmt: skip
    assert code == 0, err
    for word in ("none: every frame of a file", "from arrival to answer p50", "encode", "MB, the whole process"):
        assert word in out
    report = StreamReport.from_dict(json.loads(files["json"].read_text()))
    samples = report.samples
    # The first was for the warm-up, and what waited decoded meanwhile does not count.
    assert 30 <= len(samples.number) <= 39
    assert list(samples.number) == list(range(40 - len(samples.number), 40))
    assert (report.live, report.dropped, report.frames, report.size) == (False, 0, 39, (64, 48))
    assert list(samples.stages_ms) == [*STAGES, "encode"]
    assert all(min(values) >= 0 for values in samples.stages_ms.values())
    assert report.latency.p50_ms.value == pytest.approx(np.median(samples.latency_ms), abs=1e-6)
    assert report.stages["infer"].p50_ms.value < report.latency.p50_ms.value
    rows = list(csv.reader(files["csv"].read_text().splitlines()))
    assert rows[0] == ["frame", "arrived_s", "latency_ms", *(f"{name}_ms" for name in samples.stages_ms)]
    assert len(rows) == 1 + len(samples.number)
    assert float(rows[1][2]) == pytest.approx(sum(map(float, rows[1][3:8])), abs=1e-5)
    page = files["html"].read_text()
    assert "Over time" in page
    assert "svg" in {tag for tag, _ in Tags(page).found}
    with pytest.raises(InputError, match="bench --stream"):
        read_report(files["json"])


def test_of_a_live_source_what_was_dropped_is_counted(edgevision, write_colours):
    code, out, _ = edgevision("bench", write_colours(), "--stream", PATTERN, *QUICK, "--no-encode", "--json", "--quiet")
    document = json.loads(out)
    report = StreamReport.from_dict(document)
    assert (code, document["schema_version"], report.live) == (0, 1, True)
    assert "encode" not in report.stages
    numbers = report.samples.number
    assert list(numbers) == sorted(set(numbers))
    # What was passed over between two answers was dropped; no frame is counted twice.
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    assert missing <= report.dropped
    assert report.frames + report.dropped <= numbers[-1] + 2
    assert report.source_fps == pytest.approx((report.frames + report.dropped) / report.seconds)
    assert report.moments[-1].frames == report.frames


def test_it_ends_in_time(write_colours):
    report = measure_stream(write_colours(), PATTERN, Settings(seconds=0.3, warmup=0.1), encode=False)
    assert 0.2 < report.seconds < 20
    assert report.warmup.runs > 0


def test_the_slope_is_that_behind_the_first_tenth():
    moments = [
        Moment(time_s=t, frames=0, dropped=0, resident_mb=100 + 0.1 * t + (50 if t < 2 else 0)) for t in range(20)
    ]
    assert memory_slope(moments) == pytest.approx(6)
    assert memory_slope(moments[:5]) is None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--batch", "2"], "--batch is about inference alone"),
        (["--end-to-end"], "--end-to-end is about"),
        (["--threads", "1", "--threads", "2"], "one --threads, of which 2"),
        (["--on", "board"], "--on sends files alone"),
    ],
)
def test_options_that_do_not_go_with_a_stream(edgevision, write_colours, clip, arguments, reason):
    code, _, err = edgevision("bench", write_colours(), "--stream", clip, *arguments)
    assert (code, reason in err) == (2, True)


def test_what_cannot_be_measured(edgevision, write_colours, clip, tmp_path):
    assert "does not exist" in edgevision("bench", write_colours(), "--stream", tmp_path / "none.mp4")[2]
    assert "one model, of which 2" in edgevision("bench", write_colours(), write_colours(), "--stream", clip)[2]
    assert "takes no pictures" in edgevision("bench", "generate", "--stream", clip)[2]
    assert "--no-encode is about" in edgevision("bench", write_colours(), "--no-encode")[2]
    short = write_clip(tmp_path / "short.mp4", 1)
    assert "no frames left" in edgevision("bench", write_colours(), "--stream", short, *QUICK)[2]
