import importlib
import pkgutil

import pytest

import edgevision

# A checkout is on the package's path, so that there the package is found in itself.
ITSELF = "edgevision.edgevision"


def modules():
    found = [module.name for module in pkgutil.walk_packages(edgevision.__path__, "edgevision.")]
    return [name for name in found if name != ITSELF and not name.endswith("__main__")]


def test_the_public_names_are_those_of_all():
    assert set(edgevision.__all__) == {"__version__", "benchmark", "evaluate", "export", "load", "train"}
    assert set(edgevision.__all__) <= set(dir(edgevision))
    for name in edgevision.__all__:
        assert getattr(edgevision, name) is not None


def test_the_package_is_not_found_in_itself():
    with pytest.raises(ImportError):
        importlib.import_module(ITSELF)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = edgevision.lode


def test_every_public_function_is_documented_with_its_errors():
    for name in edgevision.__all__[1:]:
        assert "Raises:" in getattr(edgevision, name).__doc__


@pytest.mark.parametrize("name", modules())
def test_every_module_says_what_it_is_for(name):
    assert importlib.import_module(name).__doc__


def test_what_a_package_re_exports_is_in_its_all():
    from edgevision import models

    public = {
        name for name, value in vars(models).items() if not name.startswith("_") and not isinstance(value, type(models))
    }
    assert set(models.__all__) == public


def test_every_verb_of_the_table_leads_to_a_function():
    from edgevision.cli.app import VERBS
    from edgevision.cli.groups import VerbGroup

    for verb in VERBS.values():
        for leaf in verb.verbs.values() if isinstance(verb, VerbGroup) else (verb,):
            module, function = leaf.target.split(":")
            assert callable(getattr(importlib.import_module(module), function))
