import json

import numpy as np
import pytest

import edgevision
from edgevision.errors import InputError
from edgevision.metadata import ModelMetadata, Task, TensorSpec
from edgevision.runtime.benchmark.latency import LatencyReport, random_feeds


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    from edgevision.runtime.load import shipped_model

    return edgevision.benchmark(shipped_model(Task.CLASSIFY), seconds=0.05, warmup=0.01, threads=1)


def test_the_percentiles_are_of_the_samples_kept(report):
    assert report.runs == len(report.samples_ms) >= 100
    assert report.p50_ms == pytest.approx(np.percentile(report.samples_ms, 50), rel=1e-4)
    assert report.p99_ms == pytest.approx(np.percentile(report.samples_ms, 99), rel=1e-4)
    assert report.min_ms <= report.p50_ms <= report.p90_ms <= report.p99_ms <= report.max_ms
    assert report.throughput == pytest.approx(1000 / np.mean(report.samples_ms), rel=1e-4)


def test_the_report_says_what_ran_and_where(report):
    assert report.provider == "CPUExecutionProvider"
    assert report.device == "cpu"
    assert report.threads == 1
    assert report.load_ms > 0
    assert report.first_ms > 0
    assert report.warmup_runs >= 1
    assert report.peak_memory_mb is None or report.peak_memory_mb > 10
    assert report.machine.cores >= 1


def test_the_report_survives_json(report):
    assert LatencyReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_a_batch_counts_its_pictures(write_colours):
    report = edgevision.benchmark(write_colours(), batch=4, seconds=0.01, warmup=0)
    assert report.shapes == {"image": (4, 3, 8, 8)}
    assert report.throughput == pytest.approx(4000 / report.mean_ms, rel=1e-4)


def test_a_fixed_batch_cannot_be_changed(write_colours):
    with pytest.raises(InputError, match="fixed at 2, it cannot run 4"):
        edgevision.benchmark(write_colours(batch=2), batch=4, seconds=0.01)


def test_openvino_models_are_measured_too(write_colours):
    report = edgevision.benchmark(write_colours("colours.xml"), seconds=0.01, warmup=0)
    assert report.engine.startswith("OpenVINO")
    assert report.runs >= 100


def test_a_model_without_metadata_is_measured(write_colours):
    assert edgevision.benchmark(write_colours(metadata=None), seconds=0.01, warmup=0).runs >= 100


def test_a_wrong_shape_says_which_option_mends_it(write_colours):
    with pytest.raises(InputError, match="--shape"):
        edgevision.benchmark(write_colours(), shape=(1, 3, 9, 9), seconds=0.01)


@pytest.mark.parametrize("options", [{"seconds": 0}, {"batch": 0}, {"warmup": -1}])
def test_numbers_that_make_no_sense_are_refused(write_colours, options):
    with pytest.raises(InputError, match="must be positive"):
        edgevision.benchmark(write_colours(), **options)


def test_random_inputs_keep_to_the_declared_range_and_to_the_seed():
    spec = TensorSpec(name="image", shape=("batch", 3, 16, 16))
    declared = TensorSpec(name="image", shape=("batch", 3, 16, 16), value_range=(-2.0, 3.0))
    metadata = ModelMetadata(task=Task.CLASSIFY, name="m", inputs=(declared,))
    first = random_feeds((spec,), metadata, batch=2, shape=None, seed=1)["image"]
    again = random_feeds((spec,), metadata, batch=2, shape=None, seed=1)["image"]
    other = random_feeds((spec,), metadata, batch=2, shape=None, seed=2)["image"]
    assert first.shape == (2, 3, 16, 16)
    assert first.dtype == np.float32
    assert -2 <= first.min() < -1.5
    assert 2.5 < first.max() <= 3
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_free_size_that_nothing_fixes_is_asked_for():
    spec = TensorSpec(name="image", shape=("batch", 3, "height", "width"))
    with pytest.raises(InputError, match="give its size with --shape"):
        random_feeds((spec,), None, batch=1, shape=None, seed=0)
