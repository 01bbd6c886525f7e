"""What a run measures, of which subjects, in what order, and what it says of them."""

import json
import math
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import edgevision
from edgevision.core.errors import DeviceError, InputError
from edgevision.core.machine import Machine
from edgevision.runtime.benchmark.report import BenchmarkReport, Samples
from edgevision.runtime.benchmark.report_files import parse_report
from edgevision.runtime.benchmark.statistics import percentile
from edgevision.runtime.benchmark.subject import Subject
from edgevision.runtime.benchmark.table import report_text
from edgevision.runtime.benchmark.timing import Clock

QUICK = {"seconds": 0.02, "warmup": 0.0, "runs": 20}


@pytest.fixture(scope="module")
def report():
    from edgevision.runtime.shipped_models import shipped_model

    return edgevision.benchmark(shipped_model("classify"), seconds=0.05, warmup=0.1, threads=1)


@pytest.fixture
def subject(report):
    return report.subjects[0]


def test_the_figures_are_of_the_samples_kept(subject):
    latency, samples = subject.latency, np.array(subject.samples.ms)
    assert latency.runs == len(samples) >= 100
    assert latency.p50_ms == percentile(samples, 0.5)
    assert latency.p50_ms.value == np.median(samples)
    assert latency.p99_ms.value == np.percentile(samples, 99)
    ordered = (latency.min_ms, latency.p50_ms.value, latency.p90_ms.value, latency.p95_ms.value, latency.p99_ms.value)
    assert sorted(ordered) == list(ordered)
    assert (latency.min_ms, latency.max_ms) == (samples.min(), samples.max())
    assert latency.std_ms == pytest.approx(samples.std(ddof=1))
    assert latency.cv == pytest.approx(samples.std(ddof=1) / samples.mean())
    assert subject.throughput == pytest.approx(1000 / np.mean(samples), rel=1e-4)


def test_outliers_are_counted_and_stay_in_every_figure(subject):
    samples = np.array(subject.samples.ms)
    assert subject.latency.outliers == int((samples > subject.latency.fence_ms).sum())
    assert subject.latency.runs == len(samples)


def test_every_sample_has_its_time_in_order_and_none_overlap(report, subject):
    samples = subject.samples
    starts, durations = np.array(samples.start_s), np.array(samples.ms) / 1000
    assert (starts[1:] >= starts[:-1] + durations[:-1] - 1e-5).all()
    assert starts[0] >= 0
    assert starts[-1] + durations[-1] <= report.seconds
    assert sum(samples.rounds) == len(starts)


def test_the_report_says_what_ran_and_where(report, subject):
    assert subject.name == "classify.onnx"
    assert len(subject.sha256) == 64
    assert subject.precision == "fp32"
    assert (subject.provider, subject.device, subject.threads, subject.batch) == ("CPUExecutionProvider", "cpu", 1, 1)
    assert subject.load_ms > 0
    assert subject.first_ms > 0
    assert subject.warmup.runs >= 1
    assert report.machine == Machine.this()
    assert report.version == edgevision.__version__
    assert report.rounds == len(subject.samples.rounds)
    assert report.settings.seconds == 0.05


def test_a_model_takes_memory_of_a_process_that_has_none_to_use_again(run_python, write_colours):
    # What a test before has given back may be enough for a small model.
    line = ("--seconds", "0.05", "--warmup", "0", "--json", "--quiet")
    done = run_python("-m", "edgevision", "bench", str(write_colours()), *line)
    memory = json.loads(done.stdout)["subjects"][0]["memory"]
    if memory is None:
        pytest.skip("this system does not tell what a process holds")
    assert memory["steady_mb"] > 0
    assert memory["peak_mb"] is None or memory["peak_mb"] >= memory["steady_mb"]


def test_the_board_is_watched_while_it_runs(report, subject):
    times = [reading.time_s for reading in report.board.readings]
    assert len(times) >= 2
    assert times[0] <= subject.samples.start_s[0]
    assert times[-1] >= subject.samples.start_s[-1]


def test_the_report_survives_json(report):
    document = json.loads(json.dumps(report.to_document()))
    assert document["schema_version"] == 1
    assert parse_report(document, "it") == report


def test_all_combinations_are_measured_interleaved(write_colours):
    models = [write_colours(), write_colours("ir.xml")]
    report = edgevision.benchmark(models, threads=[1, 2], batch=[1, 2], **QUICK)
    assert [(s.name, s.threads, s.batch) for s in report.subjects] == [
        (name, threads, batch) for name in ("colours.onnx", "ir.xml") for threads in (1, 2) for batch in (1, 2)
    ]
    rounds = {len(s.samples.rounds) for s in report.subjects}
    assert rounds == {report.rounds}
    # Every subject runs in every round, and not always in the same order.
    begins = np.array(
        [
            [s.samples.start_s[sum(s.samples.rounds[:number])] for number in range(report.rounds)]
            for s in report.subjects
        ]
    )
    assert (begins.max(axis=0)[:-1] < begins.min(axis=0)[1:]).all()
    assert len({tuple(order) for order in begins.argsort(axis=0).T}) > 1


def test_the_first_subject_is_what_the_others_are_compared_with(write_colours):
    report = edgevision.benchmark(write_colours(), batch=[1, 64], **QUICK)
    first, second = report.subjects
    assert first.speedup is first.ratio is None
    assert second.speedup is not None
    assert second.speedup.low <= second.speedup.value <= second.speedup.high
    assert second.ratio == second.speedup.inverse()


def test_ratios_are_of_the_means_of_interleaved_rounds(write_colours):
    first, second = edgevision.benchmark(write_colours(), batch=[1, 64], **QUICK).subjects
    means = [subject.samples.round_means(Clock.WALL) for subject in (first, second)]
    # Of two in every round, slow rounds are set right by the geometric mean of both.
    together = np.sqrt(means[0] * means[1])
    times = [np.median(one / together) for one in means]
    assert second.speedup.value == pytest.approx(times[0] / times[1], rel=0.01)


@pytest.mark.skipif(Clock.of_inference(1) is Clock.WALL, reason="this system does not count CPU time finely")
def test_one_thread_is_compared_by_what_it_computes_and_its_latency_is_by_the_clock(write_colours, monkeypatch):
    class Sleepy(Subject):
        @property
        def infer(self):
            run = super().infer

            def interrupted():
                # One of the two is kept waiting.
                if self.batch == 2:
                    time.sleep(0.002)
                return run()

            return interrupted

    monkeypatch.setattr("edgevision.runtime.benchmark.subject.Subject", Sleepy)
    report = edgevision.benchmark(write_colours(), threads=1, batch=[1, 2], **QUICK)
    first, second = report.subjects
    assert {one.samples.clock for one in report.subjects} == {Clock.CPU}
    assert second.latency.p50_ms.value >= 2
    assert second.speedup.value > 5 * first.latency.p50_ms.value / second.latency.p50_ms.value
    assert "by CPU time" in report_text(report)
    mixed = edgevision.benchmark(write_colours(), threads=[1, 2], **QUICK)
    assert {one.samples.clock for one in mixed.subjects} == {Clock.WALL}
    assert "by the clock" in report_text(mixed)


def test_it_goes_on_for_the_runs_and_for_the_seconds_that_are_asked_for(write_colours):
    few = edgevision.benchmark(write_colours(), seconds=0.01, warmup=0, runs=700).subjects[0]
    assert few.latency.runs >= 700
    long = edgevision.benchmark(write_colours(), seconds=0.2, warmup=0, runs=1).subjects[0]
    assert sum(long.samples.ms) >= 200


def test_a_precision_ends_it_as_soon_as_the_median_is_known_so_well(write_colours):
    report = edgevision.benchmark(write_colours(), seconds=30, warmup=0.5, precision=0.5)
    assert report.seconds < 25
    assert 2 * report.subjects[0].latency.p50_ms.relative_width < 0.5


def test_a_batch_counts_its_pictures(write_colours):
    subject = edgevision.benchmark(write_colours(), batch=4, **QUICK).subjects[0]
    assert subject.shapes == {"image": (4, 3, 8, 8)}
    assert subject.throughput == pytest.approx(4000 / subject.latency.mean_ms.value)


def test_a_fixed_batch_cannot_be_changed(write_colours):
    with pytest.raises(InputError, match="fixed at 2, it cannot run 4"):
        edgevision.benchmark(write_colours(batch=2), batch=4, **QUICK)


def test_a_model_without_metadata_is_measured(write_colours):
    assert edgevision.benchmark(write_colours(metadata=None), **QUICK).subjects[0].precision is None


def test_a_wrong_shape_says_which_option_mends_it(write_colours):
    with pytest.raises(InputError, match="--shape"):
        edgevision.benchmark(write_colours(), shape=(1, 3, 9, 9), **QUICK)


def test_a_device_that_is_not_there_is_an_error_and_not_measured_elsewhere(write_colours):
    with pytest.raises(DeviceError):
        edgevision.benchmark(write_colours("colours.xml"), device=["cpu", "npu"], **QUICK)


def test_no_model_is_no_measurement():
    with pytest.raises(InputError, match="no model"):
        edgevision.benchmark([])


@pytest.mark.parametrize(
    "options",
    [
        {"seconds": 0},
        {"seconds": math.inf},
        {"seconds": math.nan},
        {"batch": 0},
        {"batch": []},
        {"threads": 0},
        {"warmup": -1},
        {"runs": 0},
        {"streams": 0},
        {"precision": 0.0},
        {"precision": 2.0},
        {"device": []},
    ],
)
def test_numbers_that_make_no_sense_are_refused(write_colours, options):
    with pytest.raises(InputError, match=r"must be|is a share|no device"):
        edgevision.benchmark(write_colours(), **options)


@pytest.mark.parametrize("name", ["colours.onnx", "colours.xml"])
def test_streams_run_at_once_and_share_the_threads_out(write_colours, name):
    streams = edgevision.benchmark(write_colours(name), threads=2, streams=2, **QUICK).subjects[0].streams
    assert streams is not None
    assert (streams.streams, streams.threads_each) == (2, 1)
    assert streams.runs >= 6
    assert streams.throughput == pytest.approx(streams.runs / streams.seconds)


def test_the_mean_of_a_round_is_by_the_clock_or_of_what_was_computed():
    samples = Samples(start_s=(0.0, 0.1, 0.2), ms=(1.0, 2.0, 3.0), rounds=(2, 1))
    assert samples.clock is Clock.WALL
    assert samples.round_means(Clock.WALL).tolist() == [1.5, 3.0]
    computed = samples.updated(cpu_ms=(1.25, 2.0))
    assert computed.clock is Clock.CPU
    assert computed.round_means(Clock.CPU).tolist() == [1.25, 2.0]
    assert computed.round_means(Clock.WALL).tolist() == [1.5, 3.0]


def test_energy_is_that_of_the_mean_power_during_one_inference(write_colours, monkeypatch):
    from edgevision.runtime.telemetry import sampler

    monkeypatch.setattr(sampler, "mean_power", lambda readings: 5.0)
    one = edgevision.benchmark(write_colours(), **QUICK).subjects[0]
    assert one.energy_mj == pytest.approx(5 * one.latency.mean_ms.value)
    # Who took how much of it is not known where several were interleaved.
    several = edgevision.benchmark(write_colours(), batch=[1, 2], **QUICK)
    assert [s.energy_mj for s in several.subjects] == [None, None]
    assert isinstance(several, BenchmarkReport)


def test_denormal_weights_are_named_with_what_makes_them_zero(tmp_path, make_subject, make_report):
    weights = np.ones((4, 4), np.float32)
    weights[0, 0] = 1e-40
    specs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        specs[:1],
        specs[1:],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    path = tmp_path / "old.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    (subject,) = edgevision.benchmark(path, seconds=0.01, warmup=0.0, runs=5).subjects
    assert subject.denormal_share == 1 / 16
    words = report_text(make_report(subject))
    assert "6.2 % are denormal numbers" in words
    assert "edgevision export" in words
    assert "denormal" not in report_text(make_report(make_subject()))
