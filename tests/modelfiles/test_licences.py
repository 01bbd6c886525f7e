"""What is said of licences before a model is handed on."""

from edgevision.modelfiles.licences import licences_line
from edgevision.modelfiles.metadata import ModelMetadata, Provenance


def test_both_licences_are_said_and_also_that_there_are_none() -> None:
    metadata = ModelMetadata(task="classify", name="mine", licence="MIT")
    assert licences_line(metadata) == "licences of mine: weights MIT; data not stated"
    assert licences_line(metadata.updated(licence="  ")) == licences_line(metadata.updated(licence=None))
    provenance = Provenance(data="photos.zip", data_licence="CC-BY-4.0")
    assert licences_line(metadata.updated(licence=None, provenance=provenance)) == (
        "licences of mine: weights not stated; data (photos.zip) CC-BY-4.0"
    )
    long = metadata.updated(provenance=Provenance(data="d" * 100_000, data_licence="All rights reserved. " * 5_000))
    line = licences_line(long)
    assert len(line) < 900
    assert "ddd... (100,000 characters in all)) All rights reserved. All" in line
    assert line.endswith("... (104,999 characters in all)")
    assert licences_line(None) == "licences: not stated, as the model has no metadata"
