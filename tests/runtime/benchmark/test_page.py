"""The page stands by itself, says what was found, and opens in a browser without a word of complaint."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from watched_browser import check_report_page, open_browser

from edgevision.runtime.benchmark.page import write_page
from edgevision.runtime.benchmark.table import report_text
from edgevision.runtime.telemetry.findings import Finding, FindingKind

NASTY = "<script>alert('ö')</script>&\"quoted\".onnx"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FINDING = Finding(kind=FindingKind.THROTTLED, message="under-voltage at 0.5 s", start_s=0.5, end_s=1.0)


class Tags(HTMLParser):
    """Which tags are there, and whether what is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.found, self._open = [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


@pytest.fixture
def page(tmp_path, make_report, make_subject):
    def build(*subjects, **changes):
        path = tmp_path / "page.html"
        subjects = subjects or (make_subject(2.0), make_subject(3.0, name=NASTY, threads=4))
        write_page(path, make_report(*subjects, **changes))
        return path

    return build


def test_a_page_asks_nothing_of_anybody(page):
    text = page().read_text(encoding="utf-8")
    tags = Tags(text).found
    assert not re.search(r"https?:|//|@import|url\(", text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in tags}
    assert "prefers-color-scheme: dark" in text


def test_every_drawing_says_in_words_what_it_shows(page):
    text = page().read_text(encoding="utf-8")
    drawings = [attributes for tag, attributes in Tags(text).found if tag == "svg"]
    assert len(drawings) == 1 + 1 + 2
    assert all(d.get("role") == "img" for d in drawings)
    assert text.count("<svg") == len(re.findall(r"<svg [^>]*><title>[^<]", text))


def test_findings_are_told_and_shaded(page):
    text = page(findings=(FINDING,)).read_text(encoding="utf-8")
    assert "This run is unreliable" in text
    assert "under-voltage at 0.5 s" in text
    assert text.count("class=doubtful") == 1
    assert "class=doubtful" not in page().read_text(encoding="utf-8")


def test_temperature_and_frequency_stand_under_the_latencies(page):
    text = page().read_text(encoding="utf-8")
    for panel in ("hottest sensor, °C", "fastest core, MHz", "CPU in use by all programs, %"):
        assert panel in text
    assert "power, W" not in text


def test_outliers_have_a_bar_of_their_own(page, make_subject):
    subject = make_subject()
    slow = subject.samples.updated(ms=(*subject.samples.ms[:-3], 90.0, 91.0, 92.0))
    text = page(subject.updated(samples=slow)).read_text(encoding="utf-8")
    assert "class=far" in text
    above = sum(ms > subject.latency.fence_ms for ms in slow.ms)
    assert above >= 3
    assert f">{above} above<" in text


def test_samples_all_alike_are_drawn(page, make_subject):
    subject = make_subject()
    alike = subject.samples.updated(ms=(2.0,) * len(subject.samples.ms))
    assert "nan" not in page(subject.updated(samples=alike)).read_text(encoding="utf-8")


def test_operators_are_listed_slowest_first(tmp_path, edgevision, write_colours):
    arguments = ("--device", "cpu", "--seconds", 0.01, "--warmup", 0, "--profile", "--html", tmp_path / "p.html")
    assert edgevision("bench", write_colours(), *arguments)[0] == 0
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<h3>Operators</h3>" in text
    assert "ReduceMean" in text
    with open_browser() as chromium:
        check_report_page(chromium, tmp_path / "p.html")


def test_the_terminal_shows_the_same_report(make_report, make_subject):
    text = report_text(make_report(make_subject(), findings=(FINDING,)))
    assert "UNRELIABLE  throttled: under-voltage at 0.5 s" in text
    assert "governor performance, hottest 53.0 °C" in text


@pytest.fixture
def opened(tmp_path):
    """Open a page in headless Chromium: its document after drawing, and what it said on its console."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed to open the page with")

    def run(path):
        done = subprocess.run(
            [
                *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
                *(f"--user-data-dir={tmp_path / 'browser'}", "--disable-background-networking", "--no-first-run"),
                *("--dump-dom", path.as_uri()),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return run


def test_a_browser_opens_it_without_errors_and_without_outside_requests(page, opened):
    # The page forbids all requests to itself, so that one would be an error on the console.
    document, console = opened(page(findings=(FINDING,)))
    assert console == []
    assert document.count("<svg") == 4


def test_it_reads_on_a_telephone_and_on_a_wide_screen(page, make_subject):
    subjects = [make_subject(10.0**power, name=f"a_network_with_a_name_{power}.onnx") for power in (-3, 0, 3)]
    with open_browser() as chromium:
        check_report_page(chromium, page(*subjects, findings=(FINDING,)))


def test_a_request_that_crept_in_would_be_stopped_and_said(page, opened):
    path = page()
    path.write_text(path.read_text().replace("</body>", "<img src='http://127.0.0.1:9/a.png'></body>"))
    _, console = opened(path)
    assert any("Content Security Policy" in line for line in console)
