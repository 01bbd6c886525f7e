"""Hostile inputs of every kind, the same each time; tests/fuzz.py runs more of them for as long as one likes."""

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from fuzzing.seeds import tiny_model
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevision.cli.app import main
from edgevision.exporters.passes.cleanup import add_metadata
from edgevision.modelfiles.metadata import METADATA_KEY

FUZZ = Path(__file__).parents[1] / "fuzz.py"

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = ("image", "tile", "restoration", "latent", "labels", "inputs", "outputs", "precision", "quality", "name")


def test_hostile_inputs_end_as_somebody_foresaw_soon_in_little_memory_and_leave_nothing_half():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(FUZZ), "--count", "800"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "800 inputs, 0 findings" in done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@settings(derandomize=True)
@given(changes=st.dictionaries(st.sampled_from(_FIELDS), _JSON, min_size=1, max_size=2))
def test_whatever_json_stands_in_a_models_metadata_is_shown_or_refused(folder, changes):
    model, document = tiny_model("denoise")
    add_metadata(model, METADATA_KEY, json.dumps(document | changes))
    onnx.save(model, folder / "hostile.onnx")
    with pytest.raises(SystemExit) as ending:
        main(["inspect", str(folder / "hostile.onnx"), "--json"])
    assert ending.value.code in (None, 0, 2)
