"""Recognising pages that come instead of a file: Google Drive's questions, quotas, logins."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

_START = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head)", re.I | re.S
)
_QUOTA = re.compile(r"quota exceeded|too many users have viewed or downloaded", re.IGNORECASE)
_ACCESS = re.compile(r"you need access|you need permission|request access|sign in", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_GOOGLE = ("google.com", "googleusercontent.com")


def is_page(content_type: str, head: bytes) -> bool:
    """Whether an answer is a web page: by its type, or by its first bytes whatever its type."""
    return content_type.partition(";")[0].strip().lower() in (
        "text/html",
        "application/xhtml+xml",
    ) or bool(_START.match(head[:2000]))


def confirmation(text: str, base: str) -> str:
    """Address behind the button of Drive's "too large to scan" page, "" if it is none.

    Args:
        text: the page.
        base: its address. The button must lead to the same host or to Google.
    """
    form = _Form()
    form.feed(text)
    if not form.fields.get("id") and not form.fields.get("confirm"):
        return ""
    target = urljoin(base, form.action)
    host = urlsplit(target).hostname or ""
    own = host == urlsplit(base).hostname
    if not own and not any(host == g or host.endswith("." + g) for g in _GOOGLE):
        return ""
    return f"{target.partition('?')[0]}?{urlencode(form.fields)}"


def complaint(text: str) -> str:
    """What a page says instead of giving the file, in our words."""
    if _QUOTA.search(text):
        return "Google Drive's quota for this file is used up for today"
    if _ACCESS.search(text):
        return "the file asks for a login or for its owner's leave"
    title = _TITLE.search(text)
    said = re.sub(r"\s+", " ", title.group(1)).strip()[:80] if title else ""
    return f"a web page came instead of the file{f' ({said})' if said else ''}"


def is_quota(text: str) -> bool:
    """Whether it is Drive's page on too many downloads."""
    return bool(_QUOTA.search(text))


class _Form(HTMLParser):
    """The first form whose action is a download."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action and "download" in "".join(given.values()):
            self.action, self._inside = given.get("action", ""), True
        elif tag == "input" and self._inside and given.get("type", "").lower() == "hidden":
            self.fields[given.get("name", "")] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
