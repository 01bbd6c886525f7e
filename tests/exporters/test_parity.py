"""The figures of a comparison, against their definitions written out."""

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from fake_engine import FakeEngine

from edgevision.core.errors import ParityError
from edgevision.exporters.parity import ParityReport, TensorParity, compare_engines
from edgevision.modelfiles.metadata import Precision, TensorSpec
from edgevision.runtime.tasks.samples import Batch

REFERENCE = np.float32([[1, 2, 3], [-4, 0, 2]])


def engine(*outputs: np.ndarray, batch: int | str = "batch") -> FakeEngine:
    """Answers with ``outputs``, whose rows are chosen by the numbers in the input."""

    def look_up(feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        rows = feeds["row"][:, 0].astype(int)
        assert isinstance(batch, str) or len(rows) == batch
        return [output[rows] for output in outputs]

    names = ["logits", "extra"][: len(outputs)]
    return FakeEngine(
        (TensorSpec(name="row", shape=(batch, 1)),),
        tuple(TensorSpec(name=name, shape=(batch, *o.shape[1:])) for name, o in zip(names, outputs, strict=True)),
        look_up,
    )


def rows(*counts: int) -> list[Batch]:
    everything = np.arange(sum(counts), dtype=np.float32)[:, None]
    return [(part,) for part in np.split(everything, np.cumsum(counts)[:-1])]


def largest(outputs: Sequence[np.ndarray], count: int) -> np.ndarray:
    return outputs[0].reshape(count, -1).argmax(-1)


def compare(
    reference: Sequence[np.ndarray],
    actual: Sequence[np.ndarray],
    batches: Sequence[Batch],
    classifier: bool = False,
) -> ParityReport:
    return compare_engines(
        engine(*reference),
        engine(*actual),
        batches,
        source="a table",
        predictions=largest if classifier else None,
    )


def test_the_figures_are_those_of_their_definitions() -> None:
    error = np.float32([[0.5, 0, 0], [0, 0.25, 0]])
    report = compare([REFERENCE], [REFERENCE + error], rows(1, 1))
    (logits,) = report.outputs
    assert logits.name == "logits"
    assert logits.max_abs_error == 0.5
    assert logits.relative_error == 0.5 / 7  # the values go from -4 to 3
    assert logits.sqnr_db == pytest.approx(10 * math.log10((1 + 4 + 9 + 16 + 4) / (0.25 + 0.0625)))
    assert logits.not_finite == 0
    assert (report.samples, report.source, report.agreement) == (2, "a table", None)
    assert (report.reference, report.actual) == ("fake", "fake on cpu")


def test_the_figures_do_not_depend_on_the_batches() -> None:
    generator = np.random.default_rng(0)
    reference = generator.standard_normal((12, 5), np.float32)
    actual = reference + generator.standard_normal((12, 5), np.float32) / 100
    whole, parts = (compare([reference], [actual], rows(*counts), True) for counts in ((12,), (5, 1, 6)))
    assert whole.samples == parts.samples == 12
    assert whole.agreement == parts.agreement
    assert whole.outputs[0].sqnr_db == pytest.approx(parts.outputs[0].sqnr_db, rel=1e-9)
    assert whole.outputs[0].max_abs_error == parts.outputs[0].max_abs_error


def test_no_error_at_all_has_no_ratio_and_passes() -> None:
    report = compare([REFERENCE], [REFERENCE.copy()], rows(2), True)
    assert report.outputs[0] == TensorParity(name="logits", max_abs_error=0, relative_error=0, sqnr_db=None)
    assert report.agreement == 100
    report.check(Precision.FP32)


def test_a_constant_output_has_its_absolute_error_for_a_relative_one() -> None:
    constant = np.full((2, 3), 2, np.float32)
    (logits,) = compare([constant], [constant + 0.5], rows(2)).outputs
    assert logits.relative_error == logits.max_abs_error == 0.5


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["reference", "actual"])
def test_values_that_are_not_finite_on_one_side_are_counted_and_refused(side: str, wrong: float) -> None:
    spoiled = REFERENCE.copy()
    spoiled[1, 0] = wrong
    pair = (spoiled, REFERENCE) if side == "reference" else (REFERENCE, spoiled)
    report = compare([pair[0]], [pair[1]], rows(1, 1))
    assert report.outputs[0] == TensorParity(
        name="logits", max_abs_error=0, relative_error=0, sqnr_db=None, not_finite=1
    )
    with pytest.raises(ParityError, match="1 values of output 'logits' are not a number, or infinite"):
        report.check(Precision.FP16)


def test_nan_on_both_sides_proves_nothing() -> None:
    nothing = np.full((2, 3), np.nan, np.float32)
    report = compare([nothing], [nothing.copy()], rows(2))
    assert report.outputs[0].not_finite == 6
    with pytest.raises(ParityError, match="6 values"):
        report.check(Precision.FP16)


def test_the_same_infinity_on_both_sides_is_no_difference_and_another_is_one() -> None:
    reference = np.float32([[np.inf, 0, -np.inf], [1, 2, 3]])
    assert compare([reference], [reference.copy()], rows(2)).outputs[0].not_finite == 0
    turned = reference.copy()
    turned[0, 0] = -np.inf
    assert compare([reference], [turned], rows(2)).outputs[0].not_finite == 1


def test_every_report_is_json_that_other_programs_read() -> None:
    nothing = np.full((2, 3), np.nan, np.float32)
    report = compare([nothing], [REFERENCE], rows(2))

    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no JSON")

    document = json.loads(json.dumps(report.to_dict()), parse_constant=refuse)
    assert ParityReport.from_dict(document) == report
    assert report.outputs[0].not_finite == 6


def test_agreement_is_the_share_of_equal_answers() -> None:
    actual = REFERENCE.copy()
    actual[1] = [5, 0, 2]
    assert compare([REFERENCE], [actual], rows(2), True).agreement == 50


def test_a_fixed_batch_is_fed_in_portions_and_the_last_one_is_filled_up() -> None:
    generator = np.random.default_rng(0)
    reference = generator.standard_normal((7, 3), np.float32)
    actual = reference + np.float32(0.125)
    expected = compare([reference], [actual], rows(7), True)
    for sizes in ((1, "batch"), ("batch", 2), (2, 4), (16, 1)):
        engines = engine(reference, batch=sizes[0]), engine(actual, batch=sizes[1])
        found = compare_engines(*engines, rows(5, 2), source="a table", predictions=largest)
        assert found.samples == 7
        assert found.agreement == expected.agreement
        assert found.outputs[0].sqnr_db == pytest.approx(expected.outputs[0].sqnr_db, rel=1e-9)


@pytest.mark.parametrize("batch", ["batch", 1, 2, 4])
def test_every_input_of_a_sample_stays_with_it(batch: int | str) -> None:
    specs = tuple(TensorSpec(name=name, shape=(batch, 1)) for name in ("image", "mask"))
    outputs = (TensorSpec(name="sum", shape=(batch, 1)),)

    def add(feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert isinstance(batch, str) or len(feeds["image"]) == len(feeds["mask"]) == batch
        return [10 * feeds["image"] + feeds["mask"]]

    whole = FakeEngine(
        tuple(spec.updated(shape=("batch", 1)) for spec in specs), outputs, lambda f: [10 * f["image"] + f["mask"]]
    )
    generator = np.random.default_rng(0)
    batches = [(generator.random((n, 1), np.float32), generator.random((n, 1), np.float32)) for n in (3, 1)]
    report = compare_engines(whole, FakeEngine(specs, outputs, add), batches, source="a table")
    assert report.samples == 4
    assert report.outputs[0].sqnr_db is None
    assert report.outputs[0].max_abs_error == 0


def test_every_output_is_judged_and_the_worst_is_named() -> None:
    extra = np.float32([[1, 0], [0, 1]])
    report = compare([REFERENCE, extra], [REFERENCE + np.float32(1e-6), extra + np.float32(0.1)], rows(2))
    assert [output.name for output in report.outputs] == ["logits", "extra"]
    assert report.worst.name == "extra"
    assert report.outputs[1].sqnr_db == pytest.approx(10 * math.log10(2 / 0.04), abs=1e-3)
    with pytest.raises(
        ParityError, match=r"fp32 model .* output 'extra' has an SQNR of 17\.0 dB \(at least 60 asked\)"
    ):
        report.check(Precision.FP32)


@pytest.mark.parametrize(
    ("precision", "decibels", "good"),
    [
        ("fp32", 61, True),
        ("fp32", 59, False),
        ("fp16", 36, True),
        ("fp16", 34, False),
        ("fp32", -300, False),
        # How much these may lose was a question of their budget.
        ("int8", 10, True),
        ("int8-weights", 10, True),
    ],
)
def test_each_precision_has_its_floor(precision: str, decibels: float, good: bool) -> None:
    output = TensorParity(name="logits", max_abs_error=1, relative_error=1, sqnr_db=decibels)
    report = ParityReport(reference="a", actual="b", samples=1, source="c", outputs=(output,))
    if good:
        report.check(Precision(precision))
    else:
        with pytest.raises(ParityError, match=f"{precision} model does not compute"):
            report.check(Precision(precision))


@pytest.mark.parametrize(
    ("precision", "share", "good"), [("fp32", 98, True), ("fp32", 97.9, False), ("fp16", 96, True), ("fp16", 95, False)]
)
def test_a_classifier_must_also_decide_alike(precision: str, share: float, good: bool) -> None:
    output = TensorParity(name="logits", max_abs_error=1e-9, relative_error=1e-9, sqnr_db=120)
    report = ParityReport(reference="a", actual="b", samples=9, source="c", outputs=(output,), agreement=share)
    if good:
        report.check(Precision(precision))
    else:
        with pytest.raises(ParityError, match=f"decides otherwise than the checkpoint: {share:.1f} %"):
            report.check(Precision(precision))


def test_outputs_of_other_shapes_or_another_number_are_a_parity_error() -> None:
    with pytest.raises(ParityError, match=r"outputs are \[\(2, 3\)\], the model's are \[\(2, 2\)\]"):
        compare([REFERENCE], [REFERENCE[:, :2]], rows(2))
    with pytest.raises(ParityError, match="outputs are"):
        compare([REFERENCE], [REFERENCE, REFERENCE], rows(2))
