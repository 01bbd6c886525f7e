"""Signatures: every class of byte that belongs to a model is changed once, and named."""

import base64
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import edgevision as ev
from edgevision.core.errors import InputError, SignatureError
from edgevision.modelfiles.metadata import METADATA_KEY
from edgevision.modelfiles.signature import SigningKey, sign_model, signature_path, verify_signature
from edgevision.modelfiles.signature_policy import REQUIRED_KEY, required_signatures

pytest.importorskip("model_signing")
onnx = pytest.importorskip("onnx")
x509 = pytest.importorskip("cryptography.x509")
hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")


def write_key(folder: Path, name: str, password: str | None = None) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    encryption = (
        serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password.encode())
    )
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return write_key(tmp_path, "signer")


@pytest.fixture
def signed(write_colours, keys) -> Path:
    """The colour classifier with one tensor outside, a report, and its signature."""
    model = write_colours()
    whole = onnx.load(model)
    (weight,) = (tensor for tensor in whole.graph.initializer if tensor.name == "ten")
    onnx.external_data_helper.set_external_data(weight, "weights.bin")
    onnx.save(whole, model)
    model.with_suffix(".report.json").write_text('{"verdict": "good"}\n')
    sign_model(model, SigningKey(str(keys[0])))
    verify_signature(model, keys[1])
    return model


def change_graph(model: Path) -> str:
    graph = onnx.load(model, load_external_data=False)
    next(node for node in graph.graph.node if node.op_type == "Mul").op_type = "Div"
    model.write_bytes(graph.SerializeToString())
    return "'colours.onnx', its graph, metadata or weights, has changed"


def change_metadata(model: Path) -> str:
    graph = onnx.load(model, load_external_data=False)
    (entry,) = (entry for entry in graph.metadata_props if entry.key == METADATA_KEY)
    entry.value = entry.value.replace('"red"', '"Red"')
    model.write_bytes(graph.SerializeToString())
    return "'colours.onnx', its graph, metadata or weights, has changed"


def change_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def change_weights(model: Path) -> str:
    change_byte(model.with_name("weights.bin"))
    return "'weights.bin', which belongs to it, has changed"


def cut_model(model: Path) -> str:
    model.write_bytes(model.read_bytes()[:40])
    return "'colours.onnx', its graph, metadata or weights, has changed"


def change_report(model: Path) -> str:
    change_byte(model.with_suffix(".report.json"))
    return "'colours.report.json', its report, has changed"


def remove_report(model: Path) -> str:
    model.with_suffix(".report.json").unlink()
    return "'colours.report.json' is missing"


def change_signed_hash(model: Path) -> str:
    path = signature_path(model)
    bundle = json.loads(path.read_bytes())
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"]).decode()
    at = payload.index('"digest": "') + len('"digest": "')
    payload = payload[:at] + ("0" if payload[at] != "0" else "1") + payload[at + 1 :]
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload.encode()).decode()
    path.write_text(json.dumps(bundle))
    return "the signature 'colours.onnx.sig' of .* is damaged, or not by"


def cut_signature(model: Path) -> str:
    path = signature_path(model)
    path.write_bytes(path.read_bytes()[:100])
    return "the signature 'colours.onnx.sig' of .* is damaged, or not by"


def remove_signature(model: Path) -> str:
    signature_path(model).unlink()
    return "is not signed: there is no 'colours.onnx.sig' beside it"


TAMPER = pytest.mark.parametrize(
    "tamper",
    [
        change_graph,
        change_metadata,
        change_weights,
        cut_model,
        change_report,
        remove_report,
        change_signed_hash,
        cut_signature,
        remove_signature,
    ],
)


@TAMPER
def test_whatever_is_changed_is_named(signed, keys, tamper) -> None:
    said = tamper(signed)
    with pytest.raises(SignatureError, match=said):
        verify_signature(signed, keys[1])


def test_a_report_that_came_later_is_no_part_of_what_was_signed(write_colours, keys) -> None:
    model = write_colours()
    sign_model(model, SigningKey(str(keys[0])))
    model.with_suffix(".report.json").write_text("{}")
    with pytest.raises(SignatureError, match=r"'colours\.report\.json' has been added"):
        verify_signature(model, keys[1])


def test_a_model_of_another_name_is_not_what_was_signed(signed, keys) -> None:
    other = signed.rename(signed.with_name("other.onnx"))
    signature_path(signed).rename(signature_path(other))
    with pytest.raises(SignatureError, match=r"'other\.onnx' has been added; .*'colours\.onnx' is missing"):
        verify_signature(other, keys[1])


def test_a_signature_by_another_key_is_none(signed, tmp_path) -> None:
    _, public = write_key(tmp_path, "stranger")
    with pytest.raises(SignatureError, match=r"is damaged, or not by '.*stranger\.pub'"):
        verify_signature(signed, public)


def test_verbs_open_only_what_is_signed(signed, keys, edgevision, tmp_path, paint) -> None:
    from PIL import Image

    Image.fromarray(paint("red")).save(tmp_path / "red.png")
    require = ("--require-signature", keys[1])
    code, out, _ = edgevision("run", "classify", tmp_path / "red.png", "-m", signed, *require)
    assert (code, out.split()[1]) == (0, "red")
    code, out, _ = edgevision(*require, "inspect", signed)
    assert f"signature   verified, by {keys[1]}" in out.splitlines()
    assert "not verified" in edgevision("inspect", signed)[1]
    assert REQUIRED_KEY not in os.environ
    said = change_weights(signed)
    for line in (
        ("run", "classify", tmp_path / "red.png", "-m", signed),
        ("inspect", signed),
        ("bench", signed),
        ("serve", signed),
        ("evaluate", signed, tmp_path),
    ):
        code, out, err = edgevision(*line, *require)
        assert (code, out) == (2, "")
        assert said in err
    # Not asked for, it is not looked at.
    assert edgevision("run", "classify", tmp_path / "red.png", "-m", signed)[0] == 0


def test_models_that_ship_are_signed_by_nobody(keys, edgevision) -> None:
    code, _, err = edgevision("inspect", "classify", "--require-signature", keys[1])
    assert code == 2
    assert "is not signed" in err


def test_python_verifies_as_the_command_line_does(signed, keys) -> None:
    ev.load(signed, require_signature=keys[1]).close()
    change_metadata(signed)
    with pytest.raises(SignatureError):
        ev.load(signed, require_signature=keys[1])
    with required_signatures(keys[1]), pytest.raises(SignatureError):
        ev.load(signed)


def test_what_is_opened_is_what_was_verified(signed, keys, monkeypatch, paint) -> None:
    from edgevision.runtime import load as loading

    def exchanged(model):
        change_weights(signed)
        change_metadata(signed)
        return signed

    with ev.load(signed) as classify:
        expected = classify(paint("red")).top(3)
    # What lies there is another model as soon as the copy has been verified.
    verified = loading.verified_where_required
    monkeypatch.setattr(loading, "verified_where_required", lambda path: (verified(path), exchanged(path))[0])
    with ev.load(signed, require_signature=keys[1]) as classify:
        assert classify(paint("red")).top(3) == expected
    # And where it is another one before that, though the first look found it right, nothing is opened.
    monkeypatch.undo()
    monkeypatch.setattr(loading, "resolve_model", lambda model: signed)
    with pytest.raises(SignatureError, match="has changed") as refused:
        ev.load(signed, require_signature=keys[1])
    assert str(signed) in str(refused.value)


def test_a_server_looks_again_when_it_opens_a_model(signed, keys) -> None:
    pytest.importorskip("fastapi")
    from edgevision.runtime.serving.catalogue import open_catalogue
    from edgevision.runtime.serving.engine_choice import open_for_requests
    from edgevision.runtime.serving.settings import ServerSettings

    with required_signatures(keys[1]):
        catalogue = open_catalogue([signed])
        change_weights(signed)
        offered = catalogue.model("colours")
        with pytest.raises(SignatureError):
            open_for_requests(offered, catalogue.task("classify"), ServerSettings())


def test_a_board_gets_all_that_was_signed_and_the_key(signed, keys, monkeypatch, tmp_path) -> None:
    from edgevision.runtime.remote import dispatch
    from edgevision.runtime.remote.on_boards import Boards
    from edgevision.runtime.remote.remote_command import RemoteCommand

    jobs, extras = [], []

    def run_on_each(hosts, work):
        return []

    def own_setup(formats, devices, wheelhouse, *, more=()):
        extras.append(more)

    monkeypatch.setattr(dispatch, "run_on_each", run_on_each)
    monkeypatch.setattr(dispatch, "own_setup", own_setup)
    monkeypatch.setattr(dispatch, "Job", lambda *parts: jobs.append(parts))
    with required_signatures(keys[1]):
        command = RemoteCommand("bench", [], {})
        command.send_model(signed)
        dispatch.run_on_boards(command, Boards(["pi"]))
    arguments, inputs, folders, _ = jobs[0]
    assert arguments == ("--require-signature=key/00001.pub", "bench")
    assert extras == [("sign",)]
    names = ("colours.onnx", "weights.bin", "colours.report.json", "colours.onnx.sig")
    assert set(inputs) == {"key/00001.pub", *(f"model/00001/{name}" for name in names)}
    assert folders == ("key", "model")


def test_what_is_signed_travels_in_an_archive(signed, keys, edgevision, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MY_KEY", keys[0].read_text())
    archive = tmp_path / "model.zip"
    code, out, err = edgevision("sign", signed, "--key", "env:MY_KEY", "--zip", archive, "--json", "--force")
    assert code == 0, err
    assert json.loads(out)["signed"] == ["colours.onnx", "weights.bin", "colours.report.json"]
    assert "PRIVATE" not in out + err
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "there")
    verify_signature(tmp_path / "there/colours.onnx", keys[1])


def test_a_program_may_say_the_key_and_the_licences_are_said_first(signed, keys, edgevision) -> None:
    code, out, err = edgevision("sign", signed, "--key", f"command:cat {keys[0]}", "--force")
    assert code == 0, err
    assert err.startswith("licences of colours: weights")
    assert "PRIVATE" not in out + err
    verify_signature(signed, keys[1])


def test_the_library_s_own_program_verifies_what_we_sign(signed, keys) -> None:
    from model_signing import verifying

    config = verifying.Config().use_elliptic_key_verifier(public_key=keys[1]).set_ignore_unsigned_files(True)
    config.verify(signed.parent, signature_path(signed))


def test_a_key_may_have_a_password_and_no_other_opens_it(write_colours, tmp_path, edgevision, monkeypatch) -> None:
    private, public = write_key(tmp_path, "locked", "correct horse")
    model = write_colours()
    for password in (None, "wrong"):
        if password is not None:
            monkeypatch.setenv("EDGEVISION_KEY_PASSWORD", password)
        code, out, err = edgevision("sign", model, "--key", private)
        assert (code, out) == (2, "")
        assert "locked.pem' is no key for this" in err
        assert not signature_path(model).exists()
    monkeypatch.setenv("EDGEVISION_KEY_PASSWORD", "correct horse")
    code, out, err = edgevision("sign", model, "--key", private)
    assert code == 0
    assert "horse" not in out + err
    verify_signature(model, public)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--key", "nowhere.pem"), "is no file"),
        (("--key", "-----BEGIN EC PRIVATE KEY-----\nMHcC"), "got a private key itself"),
        (("--key", "env:-----BEGIN PRIVATE KEY-----\nMHcC"), "got a private key itself"),
        (("--key", "ed25519.pem"), "it is of another kind"),
        (("--key", "env:NOT_THERE"), "'NOT_THERE' is empty"),
        (("--key", "command:false"), "ended with code 1"),
        (("--key", "command:"), "--key 'command:' names no program"),
        (("--key", "command:uname"), "is no key for this"),
        (("--key", "signer.pub"), "is no key for this"),
        (("--key", "signer.pem", "--chain", "signer.pem"), "give both"),
        (("--key", "signer.pem", "--cert", "nowhere.crt"), "does not exist"),
        (("--key", "signer.pem", "--zip", "model.tar"), "is a .zip file"),
    ],
)
def test_what_cannot_sign_is_refused(write_colours, keys, edgevision, tmp_path, monkeypatch, words, said) -> None:
    monkeypatch.chdir(tmp_path)
    other = ed25519.Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "ed25519.pem").write_bytes(other.private_bytes(*pem))
    code, out, err = edgevision("sign", write_colours(), *words)
    assert (code, out) == (2, "")
    assert said in err
    assert "MHcC" not in err
    assert not list(tmp_path.glob("*.sig"))


def test_a_private_key_verifies_nothing(signed, keys) -> None:
    with pytest.raises(InputError, match="is a private key"):
        verify_signature(signed, keys[0])


def test_a_signer_may_have_a_certificate_of_a_root(write_colours, keys, tmp_path) -> None:
    pytest.importorskip("OpenSSL")

    def certificate(name: str, key, issuer: str, by, *, authority: bool) -> Path:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not authority,
                    key_cert_sign=authority,
                    crl_sign=authority,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
        )
        path = tmp_path / f"{name}.crt"
        path.write_bytes(builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    signer = serialization.load_pem_private_key(keys[0].read_bytes(), None)
    root, stranger = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    leaf = certificate("leaf", signer, "root", root, authority=False)
    trusted = certificate("root", root, "root", root, authority=True)
    other = certificate("other", stranger, "other", stranger, authority=True)
    model = write_colours()
    sign_model(model, SigningKey(str(keys[0]), leaf))
    verify_signature(model, trusted)
    with pytest.raises(SignatureError):
        verify_signature(model, other)
    change_byte(model)
    with pytest.raises(SignatureError, match="has changed"):
        verify_signature(model, trusted)


def test_nothing_that_verifies_is_imported_unless_asked_for(write_colours) -> None:
    program = (
        "import sys, edgevision\n"
        f"edgevision.load({str(write_colours())!r}).close()\n"
        "assert not {'model_signing', 'sigstore', 'cryptography', 'edgevision.modelfiles.signature'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
