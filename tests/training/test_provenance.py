"""The command that made weights is the one to give again."""

import sys

import pytest

from edgevision.training.provenance import training_provenance
from edgevision.training.settings import ClassifierSettings


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("/somewhere/bin/edgevision", "edgevision --steps 5"),
        ("/somewhere/edgevision/__main__.py", "edgevision --steps 5"),
        ("/somewhere/examples/gpu/restore.py", "python restore.py --steps 5"),
    ],
)
def test_the_program_is_named_without_its_folder(monkeypatch, program, said):
    monkeypatch.setattr(sys, "argv", [program, "--steps", "5"])
    assert training_provenance(ClassifierSettings(), "photos", 0.1).command == said
    of_two = training_provenance(ClassifierSettings(data_licence="CC0-1.0"), ("a/photos", "b.zip"), 0.1)
    assert (of_two.data, of_two.data_licence) == ("photos + b.zip", "CC0-1.0")
