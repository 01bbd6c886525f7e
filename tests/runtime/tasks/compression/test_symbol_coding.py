"""Symbols come back as they were written, in as few bits as there can be."""

import math

import numpy as np
import pytest

from edgevision.core.errors import ImageError
from edgevision.imaging.symbol_scales import LEAST_SCALE, SCALE_COUNT, SCALE_STEP, frequency_tables
from edgevision.runtime.tasks.compression.entropy_model import LARGEST_SYMBOL
from edgevision.runtime.tasks.compression.symbol_coding import (
    FrequencyTables,
    SymbolDecoder,
    SymbolEncoder,
    lane_count,
)

FREQUENCIES = frequency_tables()


@pytest.fixture(scope="module")
def tables():
    return FrequencyTables(FREQUENCIES)


def drawn(count, seed=0, wrong=1.0):
    """Tables, and symbols that are ``wrong`` times as wide as these say."""
    generator = np.random.default_rng(seed)
    chosen = np.minimum(generator.exponential(10, count), SCALE_COUNT - 1).astype(np.uint8)
    scales = wrong * LEAST_SCALE * np.exp(SCALE_STEP * chosen)
    return np.rint(generator.logistic(0, scales)).astype(np.int32), chosen


@pytest.mark.parametrize("lanes", [1, 4, 32])
@pytest.mark.parametrize("wrong", [1.0, 8.0])
def test_symbols_come_back_in_the_arrays_in_which_they_were_written(tables, lanes, wrong):
    symbols, chosen = drawn(1001, wrong=wrong)
    symbols[[3, 500]] = LARGEST_SYMBOL, -LARGEST_SYMBOL
    encoder = SymbolEncoder(tables, lanes)
    parts = [slice(0, 7), slice(7, 7), slice(7, 1001)]
    for part in parts:
        encoder.write(symbols[part], chosen[part])
    decoder = SymbolDecoder(tables, lanes, encoder.content())
    for part in parts:
        assert np.array_equal(decoder.read(chosen[part]), symbols[part])


def test_it_takes_hardly_more_bits_than_information_theory_asks_for(tables):
    symbols, chosen = drawn(40_000)
    encoder = SymbolEncoder(tables, lane_count(len(symbols)))
    encoder.write(symbols, chosen)
    reach = tables.reach[chosen]
    inside = np.abs(symbols) <= reach
    shares = tables.counts[tables.starts[chosen] + np.where(inside, symbols + reach, 2 * reach + 1)] / 65536
    least = (-np.log2(shares).sum() + 16 * (~inside).sum()) / 8
    assert least < len(encoder.content()) < 1.005 * least + 16


def test_it_is_as_short_as_constrictions_range_coder(tables):
    constriction = pytest.importorskip("constriction")
    symbols, chosen = drawn(20_000)
    encoder, other = SymbolEncoder(tables, 4), constriction.stream.queue.RangeEncoder()
    kept = np.abs(symbols) <= tables.reach[chosen]
    encoder.write(symbols[kept], chosen[kept])
    for table in np.unique(chosen):
        model = constriction.stream.model.Categorical(FREQUENCIES[table] / 65536, perfect=False)
        other.encode(symbols[kept & (chosen == table)] + tables.reach[table], model)
    assert len(encoder.content()) < 1.005 * other.get_compressed().nbytes + 16


def test_a_cut_stream_is_an_error(tables):
    symbols, chosen = drawn(500)
    encoder = SymbolEncoder(tables, 4)
    encoder.write(symbols, chosen)
    content = encoder.content()
    for length in (0, 19, 20, len(content) // 4 * 2):
        with pytest.raises(ImageError, match="cannot be decoded"):
            SymbolDecoder(tables, 4, content[:length]).read(chosen)


def test_every_table_has_a_frequency_for_every_symbol():
    assert len(FREQUENCIES) == SCALE_COUNT
    for index, table in enumerate(FREQUENCIES):
        assert (table.dtype, table.sum(dtype=int), table.min() >= 1) == (np.uint16, 65536, True)
        assert np.array_equal(table[:-1], table[-2::-1]), "it is symmetric"
        scale = LEAST_SCALE * math.exp(SCALE_STEP * index)
        assert table[len(table) // 2 - 1] / 65536 == pytest.approx(math.tanh(0.25 / scale), abs=0.01)


@pytest.mark.parametrize(("symbols", "lanes"), [(0, 4), (100, 4), (70_000, 8), (10**9, 1024)])
def test_small_pictures_have_few_lanes(symbols, lanes):
    assert lane_count(symbols) == lanes
