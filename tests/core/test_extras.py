"""Imports that fail, each for a reason of its own."""

from importlib import import_module

import pytest

from edgevision.core.errors import DeviceError, MissingExtraError
from edgevision.core.extras import requires_extra


def fetch(module: str, extra: str) -> None:
    with requires_extra(extra):
        import_module(module)


def test_a_package_that_is_not_there_is_named_with_its_extra():
    with pytest.raises(MissingExtraError, match=r"nowhere is not installed .*pip install .*\[train\]'"):
        fetch("nowhere", "train")


def test_a_package_that_is_broken_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "crippled.py").write_text(
        "raise ImportError('libcublas.so.12: cannot open shared object file', name='crippled.part')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DeviceError, match="crippled is installed and cannot be imported: libcublas") as caught:
        fetch("crippled", "gpu")
    assert not isinstance(caught.value, MissingExtraError)


def test_a_module_of_our_own_that_is_missing_is_our_fault():
    with pytest.raises(ModuleNotFoundError) as caught:
        fetch("edgevision.nowhere", "export")
    assert not isinstance(caught.value, DeviceError)


def test_what_was_said_further_in_stays():
    with pytest.raises(MissingExtraError, match=r"\[cpu\]'"), requires_extra("train"):
        fetch("nowhere", "cpu")
