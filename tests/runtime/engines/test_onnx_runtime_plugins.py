import sys
from types import ModuleType

import pytest

from edgevision.core.errors import DeviceError, MissingExtraError
from edgevision.modelfiles.metadata import Precision
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.engines.engine import EngineOptions
from edgevision.runtime.engines.onnx_runtime_plugins import Plugin, PluginEngine, stdout_to_stderr


@pytest.fixture
def plugin(monkeypatch):
    """A plug-in whose package is there and whose library is a text file."""

    def make(library: str) -> Plugin:
        module = ModuleType("onnxruntime_toy")
        module.get_library_path = lambda: library
        monkeypatch.setitem(sys.modules, "onnxruntime_toy", module)
        monkeypatch.setattr(Plugin, "version", lambda self: "1.0")
        return Plugin(name="Toy", package="onnxruntime_toy", distribution="onnxruntime-toy", extra="toy", maker="Toy")

    return make


def test_a_plug_in_that_is_not_installed_names_its_extra():
    absent = Plugin(name="No", package="onnxruntime_no", distribution="onnxruntime-no", extra="no", maker="No")
    with pytest.raises(MissingExtraError, match=r"pip install .*\[no\]'"):
        absent.devices("NPU")
    assert absent.version() is None


def test_a_library_that_cannot_be_loaded_is_a_device_error_with_the_way_to_mend_it(plugin, tmp_path):
    (tmp_path / "libtoy.so").write_text("no library")
    with pytest.raises(DeviceError, match=r"onnxruntime-toy 1\.0 cannot be loaded.*--force-reinstall onnxruntime-toy"):
        plugin(str(tmp_path / "libtoy.so")).devices("NPU")


def test_what_libraries_print_goes_to_standard_error(run_python):
    program = (
        "import os\nfrom edgevision.runtime.engines.onnx_runtime_plugins import stdout_to_stderr\n"
        "print('before')\nwith stdout_to_stderr():\n    os.write(1, b'noise\\n')\nprint('after')"
    )
    done = run_python("-c", program)
    assert done.stdout == "before\nafter\n"
    assert "noise" in done.stderr


def test_standard_output_comes_back_after_an_error(capfd):
    with pytest.raises(ZeroDivisionError), stdout_to_stderr():
        raise ZeroDivisionError
    print("shown")  # noqa: T201
    assert capfd.readouterr().out == "shown\n"


class FailingNpu(PluginEngine):
    """One whose compiler takes no model."""

    def _open(self, metadata):
        return self._start(self._path, metadata)

    def _session_of(self, path, options, **providers):
        raise RuntimeError("Failed to finalize the graph")


@pytest.mark.parametrize(
    ("precision", "advice"),
    [
        (Precision.FP32, "NPUs want int8: edgevision export --int8 --target"),
        (Precision.INT8, "it is int8 already, and the NPU's own compiler fails on it: --device cpu runs it"),
    ],
)
def test_what_an_npu_does_not_compile_comes_with_what_can_be_done(write_colours, precision, advice):
    metadata = require_metadata(write_colours()).updated(precision=precision)
    path = write_colours(metadata=metadata)
    with pytest.raises(DeviceError, match=f"'colours.onnx': Failed to finalize the graph; {advice}$"):
        FailingNpu(path, "Toy", "npu", EngineOptions())
