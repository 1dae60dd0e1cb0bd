"""Where the server listens, what it prints, and when it makes a token."""

import socket

import pytest

from sbirctl.core.errors import UsageError
from sbirctl.galleries.server import sockets
from sbirctl.galleries.server.auth import SHORTEST_TOKEN, access_control_for, host_of


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_on_loopback_no_token_is_needed(host):
    with sockets.listen(host, 0) as taken:
        access = access_control_for(host, sockets.address_of(taken), None)
        assert access.loopback
        assert access.token is None
        url = sockets.url_of(taken, None)
        assert url.rpartition(":")[0] in ("http://127.0.0.1", "http://[::1]")
        assert url.endswith(f":{taken.getsockname()[1]}/")


def test_where_others_listen_a_token_is_made():
    tokens = set()
    for _ in range(20):
        access = access_control_for("0.0.0.0", "0.0.0.0", None)
        assert not access.loopback
        assert len(access.token) >= 32
        tokens.add(access.token)
    assert len(tokens) == 20
    with sockets.listen("0.0.0.0", 0) as taken:
        port = taken.getsockname()[1]
        expected = f"http://{socket.gethostname()}:{port}/?token=abc"
        assert sockets.url_of(taken, "abc") == expected


def test_ipv6_addresses_stand_in_brackets():
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        taken = sockets.listen("::1", 0)
    except UsageError:
        pytest.skip("no IPv6 loopback here")
    with taken:
        access = access_control_for("::1", sockets.address_of(taken), None)
        assert access.loopback
        url = sockets.url_of(taken, None)
        assert url == f"http://[::1]:{taken.getsockname()[1]}/"
        assert access.is_own_host(url.split("/")[2])


@pytest.mark.parametrize("token", ["", "a" * (SHORTEST_TOKEN - 1), "\u00e9" * 40])
def test_a_token_that_keeps_nobody_out_is_refused(token):
    with pytest.raises(UsageError):
        access_control_for("127.0.0.1", "127.0.0.1", token)


@pytest.mark.parametrize(
    "header, host",
    [
        ("LocalHost", "localhost"),
        ("localhost.:80", "localhost"),
        ("[::1]:80", "::1"),
        ("[::1", "::1"),
        ("127.0.0.1:8321", "127.0.0.1"),
        ("", ""),
    ],
)
def test_the_host_of_a_header(header, host):
    assert host_of(header) == host


def test_beyond_loopback_addresses_and_own_names_are_answered_and_others_not():
    access = access_control_for("photos.example", "192.0.2.7", None)
    own = ["192.0.2.7", "10.1.2.3:99", "photos.example", "[2001:db8::1]", socket.gethostname()]
    assert all(access.is_own_host(host) for host in own)
    assert not any(access.is_own_host(host) for host in ["evil.example", "photos.example.evil", ""])


def test_only_the_very_token_is_the_token():
    access = access_control_for("127.0.0.1", "127.0.0.1", "t" * 20)
    assert access.is_token("t" * 20)
    assert not any(access.is_token(text) for text in ("", "t" * 19, "t" * 21, "T" * 20, "\u00e9"))
    assert access.may_enter("", f"bearer {'t' * 20}")
    assert access.may_enter(access.cookie_value(), "")
    assert not access.may_enter("t" * 20, "")
    assert not access.may_enter("\u00e9", "Basic \u00e9")
