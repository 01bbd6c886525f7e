"""Two reports beside each other: what is slower, how surely, and what else differs."""

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.core.errors import InputError
from edgevision.runtime.benchmark.comparison import compare, slower_than
from edgevision.runtime.benchmark.report import Samples
from edgevision.runtime.benchmark.report_files import parse_report, read_report, write_report
from edgevision.runtime.benchmark.table import ratio_words
from edgevision.runtime.benchmark.timing import Clock
from edgevision.runtime.telemetry.findings import Finding, FindingKind


@pytest.fixture
def write(tmp_path):
    def to_file(name, report):
        write_report(tmp_path / name, report)
        return tmp_path / name

    return to_file


def test_a_report_beside_itself_shows_no_difference(make_report):
    found = compare(make_report(), make_report())
    assert found.subjects[0].verdict == "no difference shown"
    assert found.subjects[0].speedup.value == found.subjects[0].ratio.value == 1
    assert found.notes == ()


def test_a_slowdown_of_5_percent_is_shown(make_report, make_subject):
    found = compare(make_report(make_subject(2.0)), make_report(make_subject(2.1, seed=1)))
    assert found.subjects[0].verdict == "slower"
    assert found.subjects[0].ratio.low < 1.05 < found.subjects[0].ratio.high
    assert found.subjects[0].speedup.low < 1 / 1.05 < found.subjects[0].speedup.high
    back = compare(make_report(make_subject(2.1, seed=1)), make_report(make_subject(2.0)))
    assert back.subjects[0].verdict == "faster"


def test_subjects_are_matched_by_what_they_are(make_report, make_subject):
    first = make_report(make_subject(2.0), make_subject(3.0, threads=4), make_subject(5.0, device="cuda"))
    second = make_report(make_subject(3.0, threads=4, seed=1), make_subject(7.0, batch=8), make_subject(2.0, seed=2))
    found = compare(first, second)
    assert [s.label for s in found.subjects] == [
        "net.onnx, cpu, 2 threads, batch 1",
        "net.onnx, cpu, 4 threads, batch 1",
    ]
    assert found.only_first == ("net.onnx, cuda, 2 threads, batch 1",)
    assert found.only_second == ("net.onnx, cpu, 2 threads, batch 8",)


def test_one_subject_each_is_compared_whatever_it_is_and_what_differs_is_noted(make_report, make_subject):
    other = make_subject(1.0, name="net_int8.onnx", precision="int8", sha256="1" * 64)
    found = compare(make_report(), make_report(other))
    assert found.subjects[0].speedup.value == pytest.approx(2, rel=0.01)
    assert found.subjects[0].ratio.value == pytest.approx(0.5, rel=0.01)
    notes = "\n".join(found.notes)
    for what in ("model differs: net.onnx / net_int8.onnx", "precision differs: fp32 / int8", "contents of the file"):
        assert what in notes


def test_other_machines_engines_and_findings_are_noted(make_report, make_subject):
    first = make_report()
    finding = Finding(kind=FindingKind.THROTTLED, message="under-voltage at 1 s", start_s=1.0)
    machine = first.machine.updated(processor="Q")
    second = make_report(make_subject(engine="Engine 2.0"), machine=machine, findings=(finding,))
    assert compare(first, second, ("a.json", "b.json")).notes == (
        "processor differs: P in a.json, Q in b.json",
        "b.json is unreliable, throttled: under-voltage at 1 s",
        "net.onnx, cpu, 2 threads, batch 1: engine differs: Engine 1.0 / Engine 2.0",
    )


DISTURBED = Finding(kind=FindingKind.SHARED_CPU, message="others used 1.5 of 2 cores", start_s=0.0)


def test_a_difference_by_the_clock_is_not_comparable_where_others_had_the_machine(make_report, make_subject):
    for findings in ({"findings": (DISTURBED,)}, {}):
        (found,) = compare(make_report(), make_report(make_subject(4.0, seed=1), **findings)).subjects
        assert found.clock is Clock.WALL
        assert found.speedup.value == pytest.approx(0.5, rel=0.02)
        assert found.verdict == ("not comparable" if findings else "slower")
    same = compare(make_report(findings=(DISTURBED,)), make_report()).subjects[0]
    assert same.verdict == "no difference shown"


def test_what_one_thread_computed_is_compared_whoever_had_the_machine(make_report, make_subject):
    def computed(median, **changes):
        subject = make_subject(median, threads=1, **changes)
        times = subject.samples.round_means(Clock.WALL) / median
        return subject.updated(samples=subject.samples.updated(cpu_ms=tuple(times.tolist())))

    busy = make_report(computed(40.0, seed=1), findings=(DISTURBED,))
    (found,) = compare(make_report(computed(2.0)), busy).subjects
    assert (found.clock, found.verdict) == (Clock.CPU, "no difference shown")
    assert found.speedup.value == pytest.approx(1, rel=0.01)
    # Where one of them was measured before CPU time was kept, the clock is what both have.
    (found,) = compare(make_report(make_subject(2.0, threads=1)), busy).subjects
    assert (found.clock, found.verdict) == (Clock.WALL, "not comparable")
    throttled = busy.updated(board=busy.board.updated(findings=(DISTURBED.updated(kind=FindingKind.THROTTLED),)))
    slower = computed(2.0).updated(samples=computed(2.0).samples.updated(cpu_ms=(2.0,) * 40))
    assert compare(make_report(slower), throttled).subjects[0].verdict == "not comparable"


def test_what_differs_alike_in_several_subjects_is_noted_once(make_report, make_subject):
    def report(**changes):
        return make_report(*(make_subject(threads=threads, **changes) for threads in (1, 2, 4)))

    assert compare(report(), report(engine="Engine 2.0")).notes == ("all: engine differs: Engine 1.0 / Engine 2.0",)
    one = report(engine="Engine 2.0")
    mixed = one.updated(subjects=(report().subjects[0], *one.subjects[1:]))
    labels = "net.onnx, cpu, 2 threads, batch 1; net.onnx, cpu, 4 threads, batch 1"
    assert compare(report(), mixed).notes == (f"{labels}: engine differs: Engine 1.0 / Engine 2.0",)


def test_nothing_in_common_is_an_error(make_report, make_subject):
    first = make_report(make_subject(), make_subject(threads=3))
    second = make_report(make_subject(batch=8), make_subject(batch=9))
    with pytest.raises(InputError, match="no subject in common"):
        compare(first, second)


def test_the_verb_says_what_was_found(edgevision, write, make_report, make_subject):
    first, second = write("a.json", make_report()), write("b.json", make_report(make_subject(2.2, seed=1)))
    code, out, _ = edgevision("compare", first, second)
    assert code == 0
    header, line = out.splitlines()[:2]
    assert "times as fast as A" in header
    assert "0.91" in line
    assert line.endswith("slower")
    assert "no difference shown" in edgevision("compare", first, first)[1]
    document = json.loads(edgevision("compare", first, second, "--json")[1])
    assert document["schema_version"] == 1
    assert document["subjects"][0]["verdict"] == "slower"


def test_it_fails_only_where_the_interval_shows_the_slowdown(edgevision, write, make_report, make_subject):
    first, second = write("a.json", make_report()), write("b.json", make_report(make_subject(2.2, seed=1)))
    code, out, err = edgevision("compare", first, second, "--fail-if-slower", "5%")
    assert code == 1
    assert "slower by more than 5%" in err
    assert re.search(r"is 0\.91\d \(0\.9.* to 0\.9.*\) times as fast", err)
    assert "slower" in out
    # Ten percent is the truth: the interval reaches below it.
    assert edgevision("compare", first, second, "--fail-if-slower", "10%")[0] == 0
    assert edgevision("compare", second, first, "--fail-if-slower", "5%")[0] == 0
    disturbed = write("c.json", make_report(make_subject(2.2, seed=1), findings=(DISTURBED,)))
    code, out, err = edgevision("compare", first, disturbed, "--fail-if-slower", "5%")
    assert (code, "not comparable" in out) == (1, True)
    assert "a machine that was disturbed, which may be all of it: measure both in one run" in err
    for refused in ("five", "", "0.5%"):
        code, _, err = edgevision("compare", first, second, "--fail-if-slower", refused)
        assert code == 2
        assert "--fail-if-slower" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", "it is not JSON"),
        ("[]", "no schema_version"),
        ("{}", "no schema_version"),
        ('{"schema_version": 99}', "reads up to 1"),
        ('{"schema_version": 1, "machine": 3}', "is no report of"),
        ('{"schema_version": true}', "no schema_version"),
    ],
)
def test_what_is_no_report_is_an_error(edgevision, tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_text(text)
    code, _, err = edgevision("compare", path, path)
    assert code == 2
    assert message in err


def test_a_missing_file_is_an_error(edgevision, tmp_path):
    code, _, err = edgevision("compare", tmp_path / "none.json", tmp_path / "none.json")
    assert code == 2
    assert "cannot be read" in err


@pytest.mark.parametrize("damage", [{"ms": ()}, {"rounds": (3,)}, {"start_s": (0.0,)}, {"cpu_ms": (1.0,)}])
def test_samples_that_do_not_fit_together_are_damage(write, make_report, make_subject, damage):
    subject = make_subject()
    path = write("a.json", make_report(subject.updated(samples=subject.samples.updated(**damage))))
    with pytest.raises(InputError, match="do not fit together"):
        read_report(path)


def test_a_report_is_read_as_it_was_written(write, make_report):
    report = make_report()
    assert read_report(write("a.json", report)) == report


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(document=_JSON, field=st.sampled_from(["machine", "subjects", "board", "settings", "seconds", "rounds"]))
def test_whatever_stands_in_a_report_it_is_read_or_refused(document, field):
    whole = {"schema_version": 1, "version": "1", "created": "", "load_average": None, "peak_memory_mb": None}
    for report in (document, whole | {field: document}):
        with pytest.raises(InputError):
            parse_report(report, "x.json")


@pytest.mark.parametrize("bad", [0.0, -1.0, 1e-300, 1e300, math.inf, math.nan])
def test_times_that_are_none_are_damage(make_report, make_subject, bad):
    subject = make_subject()
    report = make_report(subject.updated(samples=subject.samples.updated(ms=(bad, *subject.samples.ms[1:]))))
    with pytest.raises(InputError, match="do not fit together"):
        parse_report(report.to_document(), "x.json")


def test_a_report_that_does_not_say_where_its_nodes_ran_is_damage(make_report):
    document = make_report().to_document()
    document["subjects"][0]["assignment"] = {"nodes": {}}
    with pytest.raises(InputError, match="an assignment names the device"):
        parse_report(document, "x.json")


def test_one_sample_of_each_shows_no_difference(make_report, make_subject):
    def once(ms):
        subject = make_subject(ms)
        return make_report(subject.updated(samples=Samples(start_s=(0.0,), ms=(ms,), rounds=(1,))))

    found = compare(once(100.0), once(200.0)).subjects[0]
    assert found.verdict == "no difference shown"
    assert not slower_than(compare(once(100.0), once(200.0)), 0.05)
    assert "too few samples" in ratio_words(found.speedup)
