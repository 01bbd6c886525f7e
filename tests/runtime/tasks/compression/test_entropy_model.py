"""What gives the probabilities computes in integers, the same for a strip as for the whole."""

import numpy as np
import pytest
from small_codec import COLOURS, NAME, drawn_entropy_model, drawn_layer

from edgevision.modelfiles.packed_arrays import packed, unpacked
from edgevision.runtime.tasks.compression.entropy_model import UNIT, EntropyModel
from edgevision.runtime.tasks.compression.spec import CompressionSpec


def test_a_layer_is_the_convolution_in_integers():
    generator = np.random.default_rng(0)
    layer = drawn_layer(generator, 3, 5, 3)
    x = generator.integers(-(1 << 20), 1 << 20, (3, 6, 7))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    for channel in range(5):
        for row in range(6):
            for column in range(7):
                seen = padded[:, row : row + 3, column : column + 3]
                total = int((layer.weight[channel].astype(np.int64) * seen).sum()) + int(layer.bias[channel])
                assert layer(x)[channel, row, column] == total >> 6


def gathered(model, symbols, quality):
    """Tables and means of all latents, whose symbols are a few times their table's number."""
    shape = (model.latents, 4 * symbols.shape[1], 4 * symbols.shape[2])
    tables, means = np.full(shape, 255, np.uint8), np.full(shape, np.nan, np.float32)

    def code(strip):
        tables[strip.channels, strip.rows], means[strip.channels, strip.rows] = strip.tables, strip.means
        return strip.tables.astype(np.int32) % 7 - 3

    model.each_strip(symbols, quality, code)
    return tables, means


@pytest.mark.parametrize("height", [1, 4, 5, 11])
@pytest.mark.parametrize("sliced", [False, True])
def test_strips_say_what_the_whole_says(height, sliced, monkeypatch):
    model = drawn_entropy_model(sliced=sliced)
    symbols = np.random.default_rng(1).integers(-20, 20, (COLOURS, height, 3)).astype(np.int32)
    tables, means = gathered(model, symbols, 1)
    monkeypatch.setattr("edgevision.runtime.tasks.compression.entropy_model._ROWS", 1000)
    for strip, whole in zip((tables, means), gathered(model, symbols, 1), strict=True):
        assert np.array_equal(strip, whole)
    assert len(np.unique(tables)) > 5, "they differ"
    assert np.array_equal(means * UNIT, np.rint(means * UNIT))


def test_later_slices_follow_from_the_symbols_of_the_first():
    model = drawn_entropy_model()
    found = []
    for value in (0, 1):
        tables = []

        def code(strip, value=value, tables=tables):
            tables.append(strip.tables)
            return np.full(strip.tables.shape, value, np.int32)

        model.each_strip(np.zeros((COLOURS, 2, 2), np.int32), 0, code)
        found.append(tables)
    assert np.array_equal(found[0][0], found[1][0])
    assert not np.array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("value", [-(2**15 - 1), 2**15 - 1])
def test_the_greatest_symbols_stay_within_what_is_exact(value):
    model = drawn_entropy_model()
    _, means = gathered(model, np.full((COLOURS, 2, 2), value, np.int32), 0)
    assert np.isfinite(means).all()


def test_it_survives_the_metadata():
    model = drawn_entropy_model()
    again = EntropyModel.unpack(CompressionSpec(codec=NAME, entropy_model=model.pack()).entropy_model)
    symbols = np.random.default_rng(2).integers(-20, 20, (COLOURS, 3, 3)).astype(np.int32)
    for one, other in zip(gathered(model, symbols, 0), gathered(again, symbols, 0), strict=True):
        assert np.array_equal(one, other)
    assert model.pack() == again.pack()


@pytest.mark.parametrize(
    ("changes", "telling"),
    [
        ({"gains": np.zeros((2, 3), np.float32)}, "gains are not all positive"),
        ({"gains": np.ones((2, 3))}, "gains is float64"),
        ({"offsets": np.zeros((2, 4), np.int64)}, "offsets is int64"),
        ({"weight_1": np.zeros((8, 3, 3, 3), np.int8)}, "weight_1"),
        ({"shift_2": np.full(2, 64, np.int64)}, "0..62 bits"),
        ({"shift_4": np.full(4, 64, np.int64)}, "0..62 bits"),
        ({"weight_3": np.zeros((5, 4, 3, 3), np.int8)}, "weight_3"),
        ({"bias_4": None}, "lacks"),
        ({"table_sizes": np.asarray([4, 4])}, "tables"),
        ({"hyper_tables": np.full((2, 3), 64, np.uint8)}, "hyper_tables"),
        ({"bias_0": None}, "lacks"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, telling):
    arrays = unpacked(drawn_entropy_model().pack()) | changes
    with pytest.raises(ValueError, match=telling):
        EntropyModel.unpack(packed({name: array for name, array in arrays.items() if array is not None}))


@pytest.mark.parametrize("text", ["", "!", "AAAA", packed({"a": np.zeros(3)})[:40]])
def test_damaged_text_is_refused(text):
    with pytest.raises(ValueError, match="packed arrays cannot be unpacked"):
        EntropyModel.unpack(text)


def test_the_name_of_a_codec_is_hexadecimal():
    with pytest.raises(ValueError, match="16 hexadecimal digits"):
        CompressionSpec(codec="none", entropy_model="")
