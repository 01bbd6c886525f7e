"""The verb that runs any model as it is."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_what_is_too_much_for_json_is_one_input_s_failure(edgevision, write_colours, tmp_path):
    names = [str(tmp_path / name) for name in ("few.npy", "many.npy")]
    for name, count in zip(names, (2, 40_000), strict=True):
        np.save(name, np.zeros((count, 3, 8, 8), np.float32))
    code, out, _ = edgevision("run", "other", *names, "--model", write_colours(), "--json")
    document = json.loads(out)
    assert code == 1
    assert [(one["input"], one["outputs"]["logits"]["shape"]) for one in document["results"]] == [(names[0], [2, 3])]
    (failure,) = document["failures"]
    assert failure["input"] == names[1]
    assert "120,000 values, too many for JSON; -o OUT.npz" in failure["error"]


def test_values_that_are_not_finite_are_counted(edgevision, write_colours, tmp_path):
    np.save(tmp_path / "nan.npy", np.full((1, 3, 8, 8), np.nan, np.float32))
    code, out, _ = edgevision("run", "other", tmp_path / "nan.npy", "--model", write_colours(), "-q")
    assert (code, out.splitlines()[1]) == (0, "  logits  float32 1x3  3 NaN or Inf")
