"""Model files on the web, fetched from a server on this machine."""

import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edgevision.core.errors import InputError, ModelFileError
from edgevision.modelfiles import model_references
from edgevision.modelfiles.model_references import is_reference, local_file, parse_reference

CONTENT = bytes(range(256)) * 40
DIGEST = sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        if name == "moved.onnx":
            self.send_response(302)
            self.send_header("Location", self.server.target)
            self.end_headers()
            return
        if name == "missing.onnx":
            self.send_error(404)
            return
        body = {"page.onnx": b"<!DOCTYPE html><title>Sign in</title>"}.get(name, CONTENT)
        self.send_response(200)
        if name != "unmeasured.onnx":
            self.send_header("Content-Length", str(len(body) + (100 if name == "short.onnx" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEVISION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGEVISION_OFFLINE", raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        running.url = f"http://127.0.0.1:{running.server_port}"
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def left_over(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_file_is_fetched_once_and_its_hash_is_said(server, caplog):
    first = local_file(f"{server.url}/some/net.onnx")
    assert first.read_bytes() == CONTENT
    assert first.name == "net.onnx"
    assert f"#sha256={DIGEST}" in caplog.text
    assert local_file(f"{server.url}/some/net.onnx#sha256={DIGEST.upper()}") == first
    assert server.asked == ["/some/net.onnx"]


def test_a_repository_is_asked_for_the_revision(server):
    assert local_file("hf:org/repo/onnx/net.onnx@v1.0").read_bytes() == CONTENT
    local_file("hf:org/repo/net.onnx")
    assert server.asked == ["/org/repo/resolve/v1.0/onnx/net.onnx", "/org/repo/resolve/main/net.onnx"]


def test_another_hash_than_the_named_one_is_refused_and_nothing_stays(server, tmp_path):
    with pytest.raises(ModelFileError, match=f"its sha256 is {DIGEST}"):
        local_file(f"{server.url}/net.onnx#sha256={'0' * 64}")
    assert left_over(tmp_path) == []
    local_file(f"{server.url}/net.onnx")
    with pytest.raises(ModelFileError, match="is not what was named"):
        local_file(f"{server.url}/net.onnx#sha256={'0' * 64}")


def test_a_file_that_changed_in_the_cache_is_refused(server):
    file = local_file(f"{server.url}/net.onnx")
    file.write_bytes(b"other")
    with pytest.raises(ModelFileError, match="was changed after it was downloaded"):
        local_file(f"{server.url}/net.onnx")


def test_offline_only_the_cache_is_asked(server, monkeypatch):
    local_file(f"{server.url}/net.onnx")
    monkeypatch.setenv("EDGEVISION_OFFLINE", "1")
    assert local_file(f"{server.url}/net.onnx").read_bytes() == CONTENT
    with pytest.raises(InputError, match="EDGEVISION_OFFLINE"):
        local_file(f"{server.url}/other.onnx")
    assert server.asked == ["/net.onnx"]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("missing.onnx", "404"),
        ("short.onnx", "broke off"),
        ("page.onnx", "is a page, not a file"),
    ],
)
def test_what_is_no_whole_file_is_not_kept(server, tmp_path, name, rule):
    with pytest.raises(InputError, match=rule):
        local_file(f"{server.url}/{name}")
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("name", ["net.onnx", "unmeasured.onnx"])
def test_large_files_are_not_fetched(server, tmp_path, monkeypatch, name):
    monkeypatch.setattr(model_references, "_LARGEST", 5000)
    with pytest.raises(InputError, match="are not fetched"):
        local_file(f"{server.url}/{name}")
    assert left_over(tmp_path) == []


def test_redirects_are_followed_but_not_to_http(server):
    server.target = f"{server.url}/net.onnx"
    assert local_file(f"{server.url}/moved.onnx").read_bytes() == CONTENT
    server.target = "http://example.com/net.onnx"
    with pytest.raises(InputError, match="over https only"):
        local_file(f"{server.url}/again/moved.onnx")


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("http://example.com/net.onnx", "over https only"),
        ("https://me:secret@example.com/net.onnx", "a user's name or password"),
        ("https://example.com/", "name of a model file"),
        ("https://example.com/net.xml", "two files"),
        ("https://example.com/net.onnx#sha256=12", "64 hexadecimal digits"),
        ("hf:org/net.onnx", "hf:ORG/REPO/FILE.onnx"),
        ("hf:org/../secrets/net.onnx", "hf:ORG/REPO/FILE.onnx"),
        ("https://[::1/net.onnx", "no address"),
    ],
)
def test_what_is_no_reference_is_refused(given, rule):
    assert is_reference(given)
    with pytest.raises(InputError, match=rule):
        parse_reference(given)


def test_an_address_that_went_through_a_path_is_the_same():
    assert parse_reference("https:/example.com/net.onnx") == parse_reference("https://example.com/net.onnx")._replace(
        given="https:/example.com/net.onnx"
    )


def test_files_are_no_references():
    assert not any(map(is_reference, ("net.onnx", "C:/net.onnx", "hf/net.onnx", "https.onnx")))
