"""The JSON Schema files of the site, and a document held against one."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest


@cache
def schemas() -> dict[str, Any]:
    """All of them by their names; a test is skipped where the packages that make and read them are not installed."""
    pytest.importorskip("jsonschema")
    pytest.importorskip("mkdocs")
    name = "site_schemas"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "docs/site/schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: dict[str, Any] = module.schemas()
    return made


def check(name: str, document: Any) -> None:
    """Raise where the document is not as its schema says."""
    known = schemas()
    from jsonschema import Draft202012Validator

    Draft202012Validator(known[name]).validate(document)
