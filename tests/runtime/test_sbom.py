"""Bills of materials, judged by CycloneDX's own schema."""

import json

import pytest

from edgevision.core.regular_files import sha256
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.shipped_models import shipped_model

pytest.importorskip("cyclonedx")


def check_schema(document: dict) -> None:
    pytest.importorskip("jsonschema")
    validation = pytest.importorskip("cyclonedx.validation.json")
    from cyclonedx.exception import MissingOptionalDependencyException
    from cyclonedx.schema import SchemaVersion

    try:
        problem = validation.JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    except MissingOptionalDependencyException:
        pytest.skip("what checks the schema is not installed")
    assert problem is None, problem


def test_a_model_names_its_licence_its_files_its_data_and_its_packages(edgevision) -> None:
    code, out, _ = edgevision("inspect", "classify", "--sbom")
    document = json.loads(out)
    assert code == 0
    check_schema(document)
    path = shipped_model("classify")
    metadata = require_metadata(path)
    subject = document["metadata"]["component"]
    assert subject["type"] == "machine-learning-model"
    assert subject["licenses"] == [{"license": {"id": metadata.licence}}]
    assert subject["hashes"] == [{"alg": "SHA-256", "content": sha256(path)}]
    found = {component["bom-ref"]: component for component in document["components"]}
    assert found["file:classify.onnx"]["hashes"] == subject["hashes"]
    assert found["data"]["name"] == metadata.provenance.data
    assert found["checkpoint"]["hashes"][0]["content"] == metadata.provenance.checkpoint_sha256
    assert found["checkpoint"]["licenses"] == subject["licenses"]
    versions = {name: found[f"package:{name}"]["version"] for name in metadata.provenance.versions}
    assert versions == dict(metadata.provenance.versions)
    card = subject["modelCard"]
    assert {"type": "top1", "value": f"{metadata.quality['top1']:g}"} in card["quantitativeAnalysis"][
        "performanceMetrics"
    ]
    assert card["modelParameters"]["task"] == "classify"
    assert any(entry["value"].startswith("edgevision train") for entry in card["properties"])
    assert edgevision("inspect", "classify", "--sbom")[1] == out


def test_a_licence_that_is_no_expression_is_told_by_its_name(edgevision, write_colours) -> None:
    metadata = require_metadata(write_colours()).updated(licence="Ours, ask us")
    code, out, _ = edgevision("inspect", write_colours(metadata=metadata), "--sbom")
    assert code == 0
    assert json.loads(out)["metadata"]["component"]["licenses"] == [{"license": {"name": "Ours, ask us"}}]
    check_schema(json.loads(out))


def test_the_licence_of_the_data_is_with_the_data(edgevision, write_colours) -> None:
    metadata = require_metadata(write_colours())
    provenance = metadata.provenance.updated(data="photos.zip", data_licence="CC-BY-4.0")
    model = write_colours(metadata=metadata.updated(licence="MIT", provenance=provenance))
    document = json.loads(edgevision("inspect", model, "--sbom")[1])
    check_schema(document)
    (data,) = (component for component in document["components"] if component["bom-ref"] == "data")
    assert data["licenses"] == [{"license": {"id": "CC-BY-4.0"}}]
    assert document["metadata"]["component"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert "data        photos.zip (licence: CC-BY-4.0)" in edgevision("inspect", model)[1]


def test_the_licence_of_data_without_a_name_is_there_and_an_empty_one_is_none(edgevision, write_colours) -> None:
    metadata = require_metadata(write_colours())
    provenance = metadata.provenance.updated(data=None, data_licence="CC-BY-4.0")
    model = write_colours(metadata=metadata.updated(licence=" ", provenance=provenance))
    document = json.loads(edgevision("inspect", model, "--sbom")[1])
    check_schema(document)
    (data,) = (component for component in document["components"] if component["bom-ref"] == "data")
    assert (data["name"], data["licenses"]) == ("training data", [{"license": {"id": "CC-BY-4.0"}}])
    assert not document["metadata"]["component"].get("licenses")


def test_a_model_without_metadata_has_its_files(edgevision, write_colours) -> None:
    code, out, _ = edgevision("inspect", write_colours(metadata=None), "--sbom")
    assert code == 0
    check_schema(json.loads(out))
    assert [component["name"] for component in json.loads(out)["components"]] == ["colours.onnx"]


def test_it_is_one_document_of_its_own(edgevision) -> None:
    assert edgevision("inspect", "classify", "--sbom", "--json")[0] == 2
