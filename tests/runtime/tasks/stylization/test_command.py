"""``edgevision run stylize`` on files."""

import pytest
from PIL import Image
from style_network import write_style_network


@pytest.mark.parametrize("style", ["scream", "wave:nan"])
def test_a_style_that_cannot_be_is_a_wrong_command_whatever_the_pictures(edgevision, tmp_path, style):
    model = write_style_network(tmp_path / "styles.onnx")
    pictures = [tmp_path / "good.png", tmp_path / "torn.png"]
    Image.new("RGB", (12, 8)).save(pictures[0])
    pictures[1].write_bytes(b"")
    painted = tmp_path / "painted"
    code, out, err = edgevision("run", "stylize", *pictures, "-m", model, "--style", style, "-o", f"{painted}/")
    assert (code, out) == (2, "")
    assert err.count("error:") == 1
    assert not painted.exists()
