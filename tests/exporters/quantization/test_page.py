"""The page with the verdict stands by itself, whatever the model's parts are called and whatever was measured."""

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from quantization_reports import faster, form, quantization_report
from watched_browser import check_report_page, open_browser

from edgevision.core.drawing import CHARACTER, LINE, WIDTH, Box
from edgevision.exporters.quantization.page import write_page
from edgevision.exporters.quantization.report import Form, NodePrecision, OperatorPrecision, QuantizationReport
from edgevision.exporters.quantization.trials import Trial
from edgevision.runtime.tasks.quality import Quality

NASTY = "<script>alert('ö')</script>&\"quoted\""
VOID = {"meta"}


class Page(HTMLParser):
    """What a browser makes of a page: its elements by tag, its text, and whether what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def of(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The attributes of the elements of that tag that have these among them."""
        return [found for name, found in self.elements if name == tag and attributes.items() <= found.items()]


def trial(name: str, loss: float, ratio: float | None) -> Trial:
    speedup = None if ratio is None else faster(ratio)
    return Trial(name=name, computed=3, stored=0, size_bytes=9, quality=Quality(figures={}, loss=loss), speedup=speedup)


def node(name: str, sqnr: float | None) -> NodePrecision:
    why, precision = "pays within the budget", OperatorPrecision.INT8
    return NodePrecision(name=name, operator="Conv", precision=precision, why=why, sqnr_db=sqnr)


FORMS = (
    form("as given", 0, top1=91.5),
    form("all int8", 0.5, faster(1.6), top1=91),
    form("int8", 0.25, faster(1.5), top1=91.25),
)
TRIALS = (trial("all int8", 0.5, 1.6), trial("without the first", 0.25, 1.5), trial("judged", 0.1, None))
NODES = (node("conv", 31.25), node("dense", 12.5), node("relu", None))


def report(**changes: Any) -> QuantizationReport:
    base = {"forms": FORMS, "trials": TRIALS, "nodes": NODES, "notes": ("3 pictures were left out",)}
    return quantization_report(**(base | changes))


def page_of(tmp_path: Path, model: str = "net.onnx", **changes: Any) -> tuple[Page, str]:
    path = tmp_path / "page.html"
    write_page(path, model, report(**changes))
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    text = path.read_text(encoding="utf-8")
    return Page(text), text


def places(page: Page) -> list[float]:
    """All coordinates of the drawing."""
    numbers = [
        float(value)
        for tag in ("circle", "line", "text", "rect")
        for attributes in page.of(tag)
        for name, value in attributes.items()
        if name in ("cx", "cy", "x", "y", "x1", "x2", "y1", "y2", "width") and value is not None
    ]
    assert all(number == number and abs(number) < 1e4 for number in numbers)
    return numbers


def test_a_page_asks_nothing_of_anybody(tmp_path: Path) -> None:
    page, text = page_of(tmp_path)
    assert text.startswith("<!doctype html>")
    assert not re.search(r"https?:|//|@import|url\(", text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert not any(name in ("src", "href", "onload", "onclick") for _, found in page.elements for name in found)
    assert "prefers-color-scheme: dark" in text


def test_it_says_what_was_found(tmp_path: Path) -> None:
    page, text = page_of(tmp_path)
    words = " ".join(page.text)
    assert "net.onnx: int8" in words
    assert "int8 is 1.50 times as fast as the fastest float form" in words
    assert "Target x86-avx2; timed on this machine, 2 threads; ranges by mse; 256 pictures of data; 61 s." in words
    assert "3 pictures were left out" in words
    assert [row for row in page.of("tr") if row.get("class") == "written"] == [{"class": "written"}]
    for cell in ("91.25", "+0.25", "1.50<div class=soft>(1.48 to 1.53)</div>", "1.235"):
        assert f">{cell}</td>" in text


@pytest.mark.parametrize(("threads", "words"), [(1, "1 thread;"), (4, "4 threads;"), (None, "all cores;")])
def test_it_says_how_many_threads_were_timed(tmp_path: Path, threads: int | None, words: str) -> None:
    page, _ = page_of(tmp_path, threads=threads)
    assert words in " ".join(page.text)


def test_every_candidate_that_was_judged_and_timed_is_a_point(tmp_path: Path) -> None:
    page, _ = page_of(tmp_path)
    assert len(page.of("circle", **{"class": "tried"})) == 2
    assert len(page.of("circle", **{"class": "form"})) == 2
    (best,) = page.of("circle", **{"class": "best"})
    tried = page.of("circle", **{"class": "tried"})
    # The chosen is the second candidate: slower, so further left, and better, so further up.
    assert (best["cx"], best["cy"]) == (tried[1]["cx"], tried[1]["cy"])
    assert float(str(tried[1]["cx"])) < float(str(tried[0]["cx"]))
    assert float(str(tried[1]["cy"])) < float(str(tried[0]["cy"]))
    # The budget lies between both.
    budget, *_ = page.of("line", **{"class": "budget"})
    assert float(str(tried[1]["cy"])) < float(str(budget["y1"])) < float(str(tried[0]["cy"]))
    assert max(places(page)) <= WIDTH
    # And one of its path, which says whether it held the budget.
    assert [len(page.of("circle", **{"class": kind})) for kind in ("held", "missed")] == [2, 1]


NAMES = ("as given", "int8-weights", "fp16", "other int8", "int8", "far away")


def close_together(loss: float) -> tuple[Form, ...]:
    """Forms of which each is a little faster and a little worse than the one before, and one that is far from them."""
    ratios = (*(1 + 0.001 * number for number in range(len(NAMES) - 1)), 9)
    return tuple(
        form(name, loss + 0.001 * number, faster(ratio), top1=91.5)
        for number, (name, ratio) in enumerate(zip(NAMES, ratios, strict=True))
    )


@pytest.mark.parametrize("loss", [0, 0.5])
def test_names_of_forms_in_one_place_do_not_stand_on_each_other(tmp_path: Path, loss: float) -> None:
    page, text = page_of(tmp_path, forms=close_together(loss))
    drawing = text[text.index("<svg") : text.index("</svg>")]
    boxes = []
    for name in NAMES:
        ((x, y, anchor),) = re.findall(rf"x='([\d.]+)' y='([\d.]+)' text-anchor=(\w+)>{name}<", drawing)
        wide = CHARACTER * len(name)
        left = float(x) - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
        boxes.append(Box(left, float(y) - LINE + 3, left + wide, float(y) + 3))
    assert not any(one.meets(other) for one, other in itertools.combinations(boxes, 2))
    assert all(box.left >= 0 and box.right <= WIDTH and box.top >= 0 for box in boxes)
    # A line leads to what has no room beside its point.
    assert page.of("line", **{"class": "lead"})


def test_it_reads_on_a_telephone_and_on_a_wide_screen(tmp_path: Path) -> None:
    names = [f"{name} in {engine}" for engine in ("OpenVINO", "OpenVINO bf16") for name in NAMES]
    more = tuple(
        form(name, 0.3 * number / len(names), faster(1 + 0.02 * number), top1=91.5) for number, name in enumerate(names)
    )
    page_of(tmp_path, forms=(*FORMS, *more), trials=tuple(trial(f"{n}", 0.01 * n, 1 + 0.03 * n) for n in range(40)))
    with open_browser() as chromium:
        check_report_page(chromium, tmp_path / "page.html")


def test_only_those_that_one_chooses_between_have_their_names_in_the_drawing(tmp_path: Path) -> None:
    rows = {"as given": (0, 1), "slower": (0, 0.9), "fp16": (0.01, 1.2), "worse": (0.4, 1.4), "int8": (0.3, 1.4)}
    forms = tuple(form(name, loss, faster(ratio), top1=91.5) for name, (loss, ratio) in rows.items())
    page, text = page_of(tmp_path, forms=forms, trials=())
    named = [re.findall(rf">{name}</text>", text) for name in rows]
    assert [len(found) for found in named] == [1, 0, 1, 0, 1]
    # The others are points that say who they are.
    assert len(page.of("circle")) == len(rows)
    assert all(f"<title>{name}</title></circle>" in text for name in rows)


def test_a_candidate_that_something_disturbed_does_not_make_the_others_small(tmp_path: Path) -> None:
    page, _ = page_of(tmp_path, trials=(*TRIALS, trial("disturbed", 0.1, 40.0)))
    circles = [float(str(circle["cx"])) for kind in ("form", "best") for circle in page.of("circle", **{"class": kind})]
    assert max(circles) - min(circles) > WIDTH / 3


def test_candidates_stand_where_they_would_be_over_the_first_row(tmp_path: Path) -> None:
    # The search compared with the cleaned model, which is twice as fast as what was given.
    rows = (("as given", 0, None), ("cleaned", 0, faster(2.0)), ("int8", 0.25, faster(3.0)))
    page, _ = page_of(
        tmp_path,
        forms=tuple(form(name, loss, speedup, top1=91.5 - loss) for name, loss, speedup in rows),
        trials=(trial("what became int8", 0.25, 1.5),),
    )
    (best,), (tried,) = (page.of("circle", **{"class": name}) for name in ("best", "tried"))
    assert (best["cx"], best["cy"]) == (tried["cx"], tried["cy"])


def test_names_are_escaped_wherever_they_stand(tmp_path: Path) -> None:
    page, text = page_of(
        tmp_path,
        model=f"{NASTY}.onnx",
        verdict=NASTY,
        source=NASTY,
        target=NASTY,
        ranges=NASTY,
        metric="top1",
        forms=(form("as given", 0, top1=91.5), form(NASTY, 0.2, faster(1.5), top1=91.3)),
        trials=(trial(NASTY, 0.5, 1.6),),
        nodes=(NodePrecision(name=NASTY, operator=NASTY, precision=NASTY, why=NASTY, sqnr_db=1.0),),
    )
    assert not page.of("script")
    assert "<script" not in text
    words = "".join(page.text)
    assert words.count(NASTY) >= 12


def test_every_operator_has_a_row_and_a_bar_where_it_was_measured(tmp_path: Path) -> None:
    page, text = page_of(tmp_path)
    first, second = page.of("div", **{"class": "share"})
    assert first["style"] == "width:100%"
    assert second["style"] == "width:40%"
    assert "31.2 dB" in text
    assert text.count("<td>int8<div class=soft>pays within the budget</div></td>") == 3


@pytest.mark.parametrize(
    "values", [[0.0], [-0.0, -3.0], [-7.5], [0.4], [-12.0, 60.0], [None, None], []], ids=lambda values: str(values)
)
def test_bars_have_a_sensible_length_for_any_sqnr(tmp_path: Path, values: list[float | None]) -> None:
    page, text = page_of(tmp_path, nodes=tuple(node(f"node{index}", value) for index, value in enumerate(values)))
    bars = page.of("div", **{"class": "share"})
    assert len(bars) == sum(value is not None for value in values)
    assert all(1 <= float(str(bar["style"]).removeprefix("width:").removesuffix("%")) <= 100 for bar in bars)
    # A column in which nothing stands is left out.
    assert ("SQNR if it alone" in text) == bool(bars)


@pytest.mark.parametrize("metric", ["top1", "sqnr"])
def test_it_works_where_nothing_was_timed(tmp_path: Path, metric: str) -> None:
    page, text = page_of(
        tmp_path,
        metric=metric,
        measured=False,
        expected_speedup=5.0,
        target="qualcomm-htp",
        forms=tuple(
            form(name, 0.1, **{metric: 91.4}).updated(latency_ms=None) for name in ("as given", "all int8", "int8")
        ),
        trials=(trial("all int8", 0.1, None),),
    )
    assert "Nothing was timed." in text
    assert "latency not measured: the device is not here" in text
    assert text.count(">not measured</td>") == 3
    assert not page.of("circle")


@pytest.mark.parametrize("loss", [float("-inf"), float("inf"), float("nan")])
def test_what_has_no_place_in_the_drawing_is_left_out(tmp_path: Path, loss: float) -> None:
    page, text = page_of(
        tmp_path,
        forms=(
            form("as given", loss, top1=91.5),
            form("all int8", -20, faster(1.6), top1=91.5),
            form("int8", -31, faster(1.5), top1=91.5),
        ),
        trials=(trial("exact", loss, 1.2), trial("all int8", -20, 1.6)),
        budget=-30.0,
    )
    assert len(page.of("circle")) == 3
    assert places(page)
    assert "<title>exact</title>" not in text


def test_one_loss_for_all_is_no_trouble(tmp_path: Path) -> None:
    page, _ = page_of(
        tmp_path,
        forms=(form("as given", 0, top1=91.5), form("int8", 0, faster(1.0), top1=91.5)),
        trials=(trial("all int8", 0, 1.0),),
        budget=0.0,
    )
    assert len(page.of("circle")) == 3
    assert places(page)


def test_an_sqnr_is_drawn_as_it_is_and_not_as_a_loss(tmp_path: Path) -> None:
    _, text = page_of(
        tmp_path,
        metric="sqnr",
        unit="dB",
        budget=-30.0,
        forms=(
            form("as given", float("-inf"), sqnr=float("inf")),
            form("all int8", -20, faster(1.6), sqnr=20),
            form("int8", -36, faster(1.5), sqnr=36),
        ),
        trials=(),
    )
    assert "SQNR, dB" in text
    labels = re.findall(r"y='([\d.]+)' text-anchor=end>(-?[\d.]+)</text>", text)
    # Round ones, the highest at the top.
    assert [label for _, label in sorted(labels, key=lambda found: float(found[0]))] == ["35", "30", "25", "20"]


def test_an_earlier_page_is_replaced(tmp_path: Path) -> None:
    page_of(tmp_path, verdict="an earlier one")
    _, text = page_of(tmp_path, verdict="the second")
    assert "the second" in text
    assert "an earlier one" not in text
