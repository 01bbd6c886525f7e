"""Encrypted models: opened by their key, from memory, and by nothing that was cut, exchanged, changed or downgraded."""

import base64
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import edgevision as ev
from edgevision.core.errors import DecryptionError, InputError, MissingExtraError, ModelFileError
from edgevision.modelfiles.age_keys import IDENTITY_PREFIX, RECIPIENT_PREFIX, decode_key, encode_key
from edgevision.modelfiles.encrypted_model import MODEL_KEY, encrypt_files, model_key, write_new_key
from edgevision.modelfiles.model_file import companions, read_metadata

age_format = pytest.importorskip("edgevision.modelfiles.age_format", exc_type=ImportError)
new_identity, recipient_of = age_format.new_identity, age_format.recipient_of

CHUNK, SEALED = 1 << 16, (1 << 16) + 16

# Of the program rage (https://github.com/str4d/rage) by way of pyrage 1.4.0, for the key of the bytes 0 to 31.
BY_RAGE = (
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBhTkFXMWVpd05BaVR2MlZ2YU1DSk9kYTcwUVJ6WFQ0eU5QTENWajlvbFU4CldNSDdjYU1K"
    "SWJRd0ZUVUN3dkZrS2pQa1NTZGUva1dzaE1wTXMrdFMzcUUKLT4gci1XUmsyLWdyZWFzZSArOHFEIGZOICEKaHJjVWhMMUY2WUlGQ2M5N0NReFVT"
    "RFl3ejN0Zk50c3U2R09IZ1YvL0dPOVZueC9TM216cW8xREpyTUI0bGE2ego2bUdHcFB3b2N2VGlYYTRVRnRNcDRkSHIwVFZEbzVuS295cWhoN3V0"
    "Yk40SwotLS0gTGVIdmFiMU04a3VSSXBYSUtHZUUvY1BORkpCbUZ1OC9qQXdVTVE0Rjd1bwp+ozYlRQ6c6nKY8I4SGaLWlLwmsSnroDRTr6Lu0Nsu"
    "ywKUukUXZR9vVJQ4Iqbb/k/qqkaDqurgOojCDr0v17FR"
)


def sealed(content: bytes, identity: bytes, *others: bytes) -> bytes:
    target = io.BytesIO()
    writer = age_format.SealedWriter(target, [*map(recipient_of, others), recipient_of(identity)])
    writer.write(content)
    writer.close()
    return target.getvalue()


def opened(data: bytes, identity: bytes) -> bytes:
    return age_format.decrypted(io.BytesIO(data), identity)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])
def test_content_of_any_size_comes_back_to_each_recipient_alone(size: int) -> None:
    content, own, other = os.urandom(size), new_identity(), new_identity()
    data = sealed(content, own, other)
    assert opened(data, own) == opened(data, other) == content
    with pytest.raises(age_format.WrongKeyError):
        opened(data, new_identity())


def test_what_another_program_wrote_is_read() -> None:
    key = bytes(range(32))
    text = encode_key(IDENTITY_PREFIX, key)
    assert text == "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SWRYDWG"
    public = "age13aqvttdk3ujkyjh9kg2w5an6dmy5mq5a84a4uxk3hfhnugfc9p0sy5p2wh"
    assert encode_key(RECIPIENT_PREFIX, recipient_of(key)) == public
    assert opened(base64.b64decode(BY_RAGE), key) == b"edgevision reads what rage wrote"


@pytest.mark.parametrize("place", range(62))
def test_a_mistyped_key_is_found(place: int) -> None:
    public = "age13aqvttdk3ujkyjh9kg2w5an6dmy5mq5a84a4uxk3hfhnugfc9p0sy5p2wh"
    wrong = public[:place] + ("q" if public[place] != "q" else "p") + public[place + 1 :]
    with pytest.raises(ValueError, match=r"checksum|begin with"):
        decode_key(RECIPIENT_PREFIX, wrong)


def exchanged(data: bytes, start: int) -> bytes:
    first, second = data[start : start + SEALED], data[start + SEALED : start + 2 * SEALED]
    return data[:start] + second + first + data[start + 2 * SEALED :]


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data, start: data[: start + 2 * SEALED], "cut off: its last chunk is missing"),
        (lambda data, start: data[: start + SEALED + 100], "chunk 2 was changed, cut off"),
        (lambda data, start: data[: start - 1], "cut off behind its header"),
        (lambda data, start: data[:50], "cut off in its header"),
        (lambda data, start: data[:start], "chunk 1 was changed, cut off"),
        (exchanged, "chunk 1 was changed, cut off, or is not in its place"),
        (lambda data, start: data[:start] + data[start + SEALED :], "is not in its place"),
        (lambda data, start: flipped(data, start + SEALED + 5), "chunk 2 was changed"),
        (lambda data, start: flipped(data, start - 3), "chunk 1 was changed"),
        (lambda data, start: data + b"more", "was changed, cut off"),
        (lambda data, start: data.replace(b"\n--- ", b"\n-> grease x\nabcd\n--- ", 1), "header was changed"),
        (lambda data, start: data.replace(b"/v1", b"/v0", 1), "does not begin with 'age-encryption.org/v1'"),
        (lambda data, start: b"PK\x03\x04 plain", "not encrypted, or in another format"),
    ],
)
def test_what_was_cut_exchanged_changed_or_downgraded_is_not_opened(change, said: str) -> None:
    identity = new_identity()
    data = sealed(os.urandom(2 * CHUNK + 1000), identity)
    start = data.index(b"\n--- ") + len("\n--- ") + 43 + 1 + 16
    with pytest.raises(ValueError, match=said):
        opened(change(data, start), identity)


def test_chunks_of_another_file_for_the_same_key_do_not_fit() -> None:
    identity = new_identity()
    one, other = (sealed(os.urandom(3 * CHUNK), identity) for _ in range(2))
    with pytest.raises(ValueError, match="was changed"):
        opened(one[:-SEALED] + other[-SEALED:], identity)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "board.key"
    write_new_key(path)
    return path


@pytest.fixture
def encrypted(write_colours, key: Path, edgevision) -> Path:
    """The colour classifier with one tensor outside, encrypted; the plain files are gone."""
    onnx = pytest.importorskip("onnx")
    model = write_colours()
    whole = onnx.load(model)
    (weight,) = (tensor for tensor in whole.graph.initializer if tensor.name == "ten")
    onnx.external_data_helper.set_external_data(weight, "weights.bin")
    onnx.save(whole, model)
    recipient = key.read_text().split()[3]
    code, out, err = edgevision("encrypt", model, "--recipient", recipient)
    assert code == 0
    assert err.startswith("licences of colours: weights")
    model.unlink()
    model.with_name("weights.bin").unlink()
    return Path(out.strip())


def test_an_encrypted_model_answers_and_nothing_plain_is_written(
    encrypted, key, edgevision, tmp_path, paint, monkeypatch
) -> None:
    from PIL import Image

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    Image.fromarray(paint("green")).save(tmp_path / "green.png")
    before = set(tmp_path.rglob("*"))
    code, out, err = edgevision("run", "classify", tmp_path / "green.png", "-m", encrypted, "--model-key", key)
    assert (code, out.split()[1]) == (0, "green"), err
    # ONNX Runtime keeps a diary of its own in the cache.
    written = [path for path in set(tmp_path.rglob("*")) - before if path.is_file()]
    assert not [path for path in written if b"logits" in path.read_bytes()]
    assert not list((tmp_path / "cache").glob("edgevision/**/*"))
    assert companions_of(encrypted, key) == ()
    assert b"edgevision" not in encrypted.read_bytes()
    assert MODEL_KEY not in os.environ


def companions_of(model: Path, key: Path) -> tuple[str, ...]:
    with model_key(str(key)):
        return companions(model)


def test_openvino_reads_its_own_format_from_memory(tmp_path, key, write_colours, paint) -> None:
    openvino = pytest.importorskip("openvino")
    plain = write_colours()
    metadata = read_metadata(plain)
    assert metadata is not None
    model = openvino.Core().read_model(plain)
    model.set_rt_info(metadata.to_json(), "edgevision")
    openvino.save_model(model, tmp_path / "ir.xml", compress_to_fp16=False)
    recipient = key.read_text().split()[3]
    target = tmp_path / "there.xml.age"
    encrypt_files([(f"ir{end}", tmp_path / f"ir{end}") for end in (".xml", ".bin")], target, [recipient], force=False)
    with model_key(str(key)), ev.load(target, "openvino:cpu") as classify:
        assert classify(np.asarray(paint("blue"))).label == "blue"


@pytest.mark.parametrize("source", ["env:MY_KEY", "command:cat {key}", "{key}"])
def test_the_key_is_in_a_file_a_variable_or_what_a_program_says(
    encrypted, key, edgevision, monkeypatch, source
) -> None:
    monkeypatch.setenv("MY_KEY", key.read_text())
    code, out, err = edgevision("inspect", encrypted, "--model-key", source.format(key=key))
    assert code == 0, err
    assert "colours, classify" in out
    assert "SECRET" not in out + err


@pytest.mark.parametrize(
    ("program", "said"),
    [("sleep 600", "it did not end within 0.2 s"), ("yes", "it prints more than 4096 bytes")],
)
def test_a_program_that_never_ends_is_ended(encrypted, edgevision, monkeypatch, program, said) -> None:
    started, popen = [], subprocess.Popen

    def start(*words, **options):
        started.append(popen(*words, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    if program != "yes":
        monkeypatch.setattr("edgevision.core.private_keys._LONGEST_COMMAND_S", 0.2)
    code, out, err = edgevision("inspect", encrypted, "--model-key", f"command:{program}")
    assert (code, out) == (2, "")
    assert said in err
    assert started[0].returncode is not None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{other}", "is not encrypted for the key of"),
        ("env:NOT_THERE", "'NOT_THERE' is empty"),
        ("command:false", "ended with code 1"),
        ("command:no-such-program", "gives no key"),
        ("command:cat 'open", "quote is not closed"),
        ("command:", "names no program"),
        ("{secret}", "got a private key itself"),
        ("command:echo {secret}", "got a private key itself"),
        ("nowhere.key", "cannot be read"),
        ("{public}", "is not one private key"),
    ],
)
def test_without_the_key_nothing_is_opened(encrypted, edgevision, tmp_path, source, said) -> None:
    other, public = tmp_path / "other.key", tmp_path / "public.txt"
    public.write_text(write_new_key(other))
    secret = other.read_text().split()[-1]
    words = source.format(other=other, public=public, secret=secret)
    code, out, err = edgevision("inspect", encrypted, "--model-key", words)
    assert (code, out) == (2, "")
    assert said in err
    assert secret[:25] not in err


def test_no_key_at_all_says_where_one_is_looked_for(encrypted, edgevision, tmp_path, monkeypatch, key) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    code, _, err = edgevision("inspect", encrypted)
    assert code == 2
    assert "--model-key FILE" in err
    place = tmp_path / "config/edgevision/model.key"
    place.parent.mkdir(parents=True)
    key.rename(place)
    assert edgevision("inspect", encrypted)[0] == 0


def test_a_changed_model_is_not_opened(encrypted, key) -> None:
    data = encrypted.read_bytes()
    for changed in (data[:-1], flipped(data, len(data) - 30)):
        encrypted.write_bytes(changed)
        with model_key(str(key)), pytest.raises(DecryptionError, match="cannot be decrypted"):
            ev.load(encrypted)


def test_a_zip_inside_that_is_damaged_or_has_a_password_is_refused(tmp_path, key) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("m.onnx", bytes(1000))
    entry = content.getvalue().index(b"PK\x01\x02")
    for places in ((8,), (22, 26)):  # the flags; the third byte of both lengths, so that more is said than is there
        changed = bytearray(content.getvalue())
        for place in places:
            changed[entry + place] = 1
        path = tmp_path / "m.onnx.age"
        path.write_bytes(sealed(bytes(changed), decode_key(IDENTITY_PREFIX, key.read_text().split()[-1])))
        with model_key(str(key)), pytest.raises(DecryptionError, match=r"cannot be decrypted: \w"):
            read_metadata(path)


def test_a_header_without_end_is_not_read_to_its_end() -> None:
    data = b"age-encryption.org/v1\n-> X\n" + (b"A" * 64 + b"\n") * (1 << 15)
    with pytest.raises(ValueError, match="header is longer than"):
        opened(data, new_identity())


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, None])
def test_what_holds_no_model_or_could_grow_is_refused(tmp_path, key, compression) -> None:
    content = io.BytesIO()
    if compression is not None:
        with zipfile.ZipFile(content, "w", compression) as archive:
            archive.writestr("m.onnx", bytes(1000))
    path = tmp_path / "m.onnx.age"
    path.write_bytes(sealed(content.getvalue(), decode_key(IDENTITY_PREFIX, key.read_text().split()[-1])))
    with model_key(str(key)), pytest.raises(DecryptionError):
        read_metadata(path)


def test_weights_that_are_not_in_the_file_are_missed(tmp_path, key, write_colours) -> None:
    onnx = pytest.importorskip("onnx")
    model = write_colours()
    onnx.save(onnx.load(model), model, save_as_external_data=True, location="w.bin", size_threshold=0)
    target = tmp_path / "half.onnx.age"
    encrypt_files([("half.onnx", model)], target, [key.read_text().split()[3]], force=False)
    with model_key(str(key)), pytest.raises(ModelFileError, match=r"lacks weights of 'w\.bin'"):
        read_metadata(target)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a model"),
        (("colours.onnx",), "at least one --recipient"),
        (("colours.onnx", "-r", "age1qqq"), "is a public key"),
        (("colours.onnx", "-r", "nowhere.txt"), "cannot be read"),
        (("colours.onnx", "-r", "{secret}"), "got a private key itself"),
        (("colours.onnx", "-r", "{public}", "-o", "other.bin"), "is called *.onnx.age"),
        (("colours.tflite", "-r", "{public}"), "cannot be encrypted"),
        (("colours.onnx", "--new-key", "new.key"), "call it alone"),
        (("--new-key", "board.key"), "exists already"),
    ],
)
def test_what_cannot_be_encrypted_is_refused(
    write_colours, key, edgevision, tmp_path, monkeypatch, words, said
) -> None:
    monkeypatch.chdir(tmp_path)
    write_colours()
    (tmp_path / "colours.tflite").touch()
    before = set(tmp_path.iterdir())
    *_, public, secret = key.read_text().split()
    code, out, err = edgevision("encrypt", *(word.format(public=public, secret=secret) for word in words))
    assert (code, out) == (2, "")
    assert said in err
    assert secret not in err
    assert set(tmp_path.iterdir()) == before


def test_a_new_key_is_its_owner_s_alone(tmp_path, edgevision) -> None:
    path = tmp_path / "new.key"
    code, out, _ = edgevision("encrypt", "--new-key", path)
    assert code == 0
    assert out.startswith("age1")
    assert "SECRET" not in out
    assert path.stat().st_mode & 0o077 == 0


def test_an_encrypted_model_can_be_signed(encrypted, key, tmp_path) -> None:
    pytest.importorskip("model_signing")
    from edgevision.modelfiles.signature import signed_files

    with model_key(str(key)):
        assert signed_files(encrypted) == (encrypted.name,)


def test_what_decrypts_is_imported_for_encrypted_models_alone(write_colours) -> None:
    program = (
        "import sys, edgevision\n"
        f"edgevision.load({str(write_colours())!r}).close()\n"
        "assert not {'cryptography', 'zipfile', 'edgevision.modelfiles.encrypted_model'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_the_library_the_extra_is_named(encrypted, key, monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "edgevision.modelfiles.age_format")
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with model_key(str(key)), pytest.raises(MissingExtraError, match="encrypt"):
        read_metadata(encrypted)


def test_a_recipient_may_be_a_file_of_several(write_colours, tmp_path) -> None:
    keys = [tmp_path / f"{number}.key" for number in range(2)]
    recipients = tmp_path / "recipients.txt"
    recipients.write_text("# boards\n" + "\n".join(write_new_key(path) for path in keys))
    target = tmp_path / "m.onnx.age"
    encrypt_files([("m.onnx", write_colours())], target, [str(recipients)], force=False)
    for path in keys:
        with model_key(str(path)):
            assert read_metadata(target) is not None
    recipients.write_text("# none\n")
    with pytest.raises(InputError, match="holds no public key"):
        encrypt_files([], target, [str(recipients)], force=False)
