"""What a user is told where ssh does not come through, from a real ssh and from the table of what it says."""

import pytest

from edgevision.core.errors import DeviceError, InputError, UnreachableError
from edgevision.runtime.remote.ssh import Connection, check_host
from edgevision.runtime.remote.ssh_failures import explain

from .conftest import make_key


@pytest.fixture
def refusal(network):
    """Log in on a host of the network and return the error that comes instead."""

    def log_in(name):
        connection = Connection(name)
        try:
            with pytest.raises(DeviceError) as caught:
                connection.open()
        finally:
            connection.close()
        assert caught.value.exit_code == 3
        return caught.value

    return log_in


def test_a_key_that_the_board_does_not_know_is_refused_with_the_way_to_send_it(network, refusal, board, tmp_path):
    make_key(tmp_path / "stranger")
    network.describe("stranger", board.port, tmp_path / "stranger")
    error = refusal("stranger")
    assert "accepted none of your keys" in str(error)
    assert "ssh-copy-id stranger" in str(error)
    assert not isinstance(error, UnreachableError)


def test_a_user_of_a_domain_is_one_to_ssh_too(refusal, board):
    assert "accepted none of your keys" in str(refusal(rf"CORP\pi@{board.name}"))


def test_an_unknown_host_is_not_trusted(network, refusal):
    network.add("unknown", known=False)
    assert "'unknown' is not a known host" in str(refusal("unknown"))


def test_a_changed_host_key_is_not_trusted(network, refusal):
    changed = network.add("changed", known=False)
    other = next(board for board in [*network.boards, network.add("other")] if board is not changed)
    with network.known.open("a") as file:
        file.write(f"[127.0.0.1]:{changed.port} {' '.join(other.host_key)}\n")
    error = refusal("changed")
    assert "is not the one known" in str(error)
    assert "ssh-keygen -R" in str(error)


def test_nobody_listening_and_no_such_name_may_pass(network, refusal):
    network.describe("silent", 9)
    refused, unresolved = refusal("silent"), refusal("no-such-board.invalid")
    assert isinstance(refused, UnreachableError)
    assert "refused the connection" in str(refused)
    assert isinstance(unresolved, UnreachableError)
    assert "no address is known for 'no-such-board.invalid'" in str(unresolved)


def test_on_windows_boards_are_reached_in_wsl(monkeypatch, refusal):
    monkeypatch.setattr("edgevision.runtime.remote.ssh.platform.system", lambda: "Windows")
    assert "run edgevision in WSL" in str(refusal("board"))


def test_a_machine_without_ssh_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    connection = Connection("board")
    with pytest.raises(DeviceError, match="openssh-client"):
        connection.open()
    connection.close()


@pytest.mark.parametrize(
    "word",
    [
        "",
        "-oProxyCommand=touch x",
        "a b",
        "a;b",
        "$(id)",
        "a`b`",
        "a\nb",
        "a'b",
        "a\x1bb",
        "a\\b",
        "a@b\\c",
        "a\\b\\c@d",
        "\\b@c",
        "a\\@c",
        "-a\\b@c",
    ],
)
def test_what_is_no_host_is_refused(word):
    with pytest.raises(InputError, match="--on is a host"):
        check_host(word)


@pytest.mark.parametrize(
    "word", ["board", "pi@raspberrypi.local", "ssh://pi@board:2222", "pi@fe80::1%eth0", r"CORP\pi@board"]
)
def test_a_host_as_ssh_takes_it_is_taken(word):
    check_host(word)


@pytest.mark.parametrize(
    ("said", "kind", "telling"),
    [
        ("pi@b: Permission denied (publickey,password).", DeviceError, "accepted none of your keys"),
        ("Received disconnect from ::1: 2: Too many authentication failures", DeviceError, "ssh-add"),
        ("@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@@", DeviceError, "ssh-keygen -R"),
        ("No ED25519 host key is known for b and you have requested strict checking.", DeviceError, "fingerprint"),
        ("ssh: Could not resolve hostname b: Name or service not known", UnreachableError, "no address"),
        ("ssh: connect to host b port 22: Connection refused", UnreachableError, "raspi-config"),
        ("ssh: connect to host b port 22: No route to host", UnreachableError, "switched on"),
        ("ssh: connect to host b port 22: Connection timed out", UnreachableError, "switched on"),
        ("Timeout, server b not responding.", UnreachableError, "closed the connection"),
        ("kex_exchange_identification: Connection closed by remote host", UnreachableError, "closed the connection"),
        ("/home/u/.ssh/config: line 3: Bad configuration option: foo", DeviceError, "~/.ssh/config"),
        ("something new", UnreachableError, "ssh b by hand"),
        ("", UnreachableError, "nothing was said"),
    ],
)
def test_what_ssh_says_becomes_an_error_with_a_remedy(said, kind, telling):
    error = explain("b", said)
    assert type(error) is kind
    assert telling in str(error)
    assert "ssh: ssh:" not in str(error)


def test_a_command_to_type_keeps_the_backslash_of_a_domain():
    assert r"try ssh 'CORP\pi@board' by hand" in str(explain(r"CORP\pi@board", ""))


def test_what_a_server_says_cannot_reach_the_terminal():
    assert "\x1b" not in str(explain("b", "\x1b[2Jbye\x07\r\n"))
