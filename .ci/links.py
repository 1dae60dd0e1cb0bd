"""Checks a built documentation site: every link inside it leads somewhere, nothing is loaded from
elsewhere.

    python .ci/links.py build/site

Links are those of `href` and `src` in the HTML pages, with their anchors. Links a reader clicks may
lead to other sites, and are not tried; scripts, styles, fonts and pictures may not come from there.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

STYLE_ADDRESS = re.compile(r"(?:@import\s+|url\(\s*)[\"']?((?:https?:)?//[^\"')\s]+)")


class Page(HTMLParser):
    """Collects what a page links to, what it loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        found = {key: value for key, value in attrs if value}
        self.anchors |= {found[key] for key in ("id", "name") if key in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and "href" in found:
            self.loaded.append(found["href"])
        if "src" in found:
            self.loaded.append(found["src"])


def problems(site: Path) -> list[str]:
    """One line for each broken link and each address of another machine that a page loads."""
    pages = {file.resolve(): Page(file.read_text("utf-8")) for file in site.rglob("*.html")}
    found = []
    for file, page in sorted(pages.items()):
        where = file.relative_to(site.resolve())
        for link in page.loaded:
            if urlsplit(link).netloc:
                found.append(f"{where} loads {link}")
        for link in page.links + page.loaded:
            reason = _broken(link, file, pages)
            if reason:
                found.append(f"{where} links to {link}: {reason}")
    for file in sorted(site.rglob("*.css")):
        for address in STYLE_ADDRESS.findall(file.read_text("utf-8")):
            found.append(f"{file.relative_to(site)} loads {address}")
    return found


def _broken(link: str, file: Path, pages: dict[Path, Page]) -> str:
    """Why a link leads nowhere, or nothing."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if not target.is_file():
        return "no such file"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "no such anchor"
    return ""


def main(site: Path) -> None:
    """Print what is wrong with the site in this folder, and fail if anything is."""
    found = problems(site)
    for line in found:
        print(line)
    count = len(list(site.rglob("*.html")))
    if not count:
        raise SystemExit(f"{site} holds no page")
    print(f"{count} pages, {len(found)} broken links")
    if found:
        raise SystemExit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
