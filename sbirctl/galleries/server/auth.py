"""Who may ask: the names this server answers to, and the token where others can reach it."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from sbirctl.core.errors import UsageError

SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class AccessControl:
    """What a request must show before it is looked at.

    Attributes:
        names: host names the server answers to, besides addresses.
        loopback: only this machine reaches it, so only loopback addresses are its own.
        token: what a browser must have been given once; None where none is asked for.
    """

    names: frozenset[str]
    loopback: bool
    token: str | None

    def is_own_host(self, header: str) -> bool:
        """Whether a Host header is ours.

        A page of another name that resolves to this machine (DNS rebinding) sends its own name; an
        address cannot be rebound, so any may be used where the port is reached by others anyway.
        """
        name = host_of(header)
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self.loopback

    def is_own_page(self, headers: Mapping[str, str], reads: bool) -> bool:
        """Whether a request comes from our page, or from no page at all (a program).

        Args:
            headers: of the request, names in lower case.
            reads: it changes and computes nothing, so following a link to it is harmless.
        """
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none"):
            followed = headers.get("sec-fetch-mode") == "navigate"
            if not (reads and followed and headers.get("sec-fetch-dest") == "document"):
                return False
        origin = headers.get("origin")
        return origin is None or origin.partition("://")[2] == headers.get("host", "")

    def cookie_value(self) -> str:
        """What the browser keeps instead of the token."""
        return hashlib.sha256(f"sbirctl serve {self.token}".encode()).hexdigest()

    def is_token(self, text: str) -> bool:
        """Whether that is the token; takes as long for any wrong one."""
        return self.token is not None and hmac.compare_digest(text.encode(), self.token.encode())

    def may_enter(self, cookie: str, authorization: str) -> bool:
        """Whether a request with that cookie or `Authorization` header may ask anything."""
        if self.token is None:
            return True
        kind, _, given = authorization.partition(" ")
        if kind.lower() == "bearer" and self.is_token(given.strip()):
            return True
        return hmac.compare_digest(cookie.encode(), self.cookie_value().encode())


def host_of(header: str) -> str:
    """The host of a Host header, in lower case, without port, brackets and final dot."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].rstrip(".").lower()


def access_control_for(host: str, address: str, token: str | None) -> AccessControl:
    """The rules for a server that was told to listen at `host`.

    Args:
        host: as typed.
        address: what it was resolved to.
        token: as typed; None to make one where the address is not loopback.

    Raises:
        UsageError: the token is too short to keep anyone out.
    """
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii()):
        raise UsageError(
            f"A token of {len(token)} characters can be guessed, or is not plain ASCII.",
            f"Take {SHORTEST_TOKEN} characters or more, or leave it out to have one made.",
        )
    names = {"localhost", host.lower()} - {""}
    loopback = ipaddress.ip_address(address).is_loopback
    if not loopback:
        own = socket.gethostname().lower()
        names |= {own, f"{own}.local", socket.getfqdn().lower()}
        token = token or secrets.token_urlsafe(24)
    return AccessControl(frozenset(names), loopback, token)
