"""Showing a photo in the file manager: only here, only what the gallery holds, never the file."""

import json
import os
from urllib.parse import quote

import pytest
from browser import expect
from paper_page import draw, opened
from serving import InkSearcher, make_photos, serving

from sbirctl.galleries.server import file_manager
from sbirctl.galleries.server.http_errors import HttpError

ID = "0" * 64
TOKEN = "a-long-enough-token"


@pytest.fixture
def desktop(tmp_path, monkeypatch):
    """A screen, and a `dbus-send` and `xdg-open` that write down their words.

    A function of a tool's name and exit status puts it in place; gives what it was told.
    """
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")

    def put(name, status):
        told = tmp_path / f"{name}.told"
        script = tools / name
        script.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > '{told}'\nexit {status}\n")
        script.chmod(0o755)
        return told

    return put


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "my, photos", {"left": "50 % $(touch x).png"})


def test_it_is_marked_by_its_address(desktop, photos):
    told, _ = desktop("dbus-send", 0), desktop("xdg-open", 0)
    file_manager.show(photos["left"])
    words = told.read_text().splitlines()
    (patience,) = [word.split("=")[1] for word in words if word.startswith("--reply-timeout=")]
    assert int(patience) >= 2000 * file_manager._PATIENCE  # never both at once
    assert "org.freedesktop.FileManager1.ShowItems" in words
    (address,) = [word for word in words if word.startswith("array:string:")]
    assert address.startswith("array:string:file:///")
    assert address.endswith("/my%2C%20photos/50%20%25%20%24%28touch%20x%29.png")


def test_where_nothing_marks_it_the_folder_is_opened_and_never_the_file(desktop, photos):
    desktop("dbus-send", 1)
    told = desktop("xdg-open", 0)
    file_manager.show(photos["left"])
    assert told.read_text() == f"{photos['left'].parent}\n"


def test_what_cannot_be_shown_is_said(desktop, photos):
    desktop("dbus-send", 1)
    desktop("xdg-open", 1)
    with pytest.raises(HttpError, match="could be started"):
        file_manager.show(photos["top"])
    photos["top"].unlink()
    with pytest.raises(HttpError, match="not there any more"):
        file_manager.show(photos["top"])


def test_without_a_screen_there_is_none(desktop):
    desktop("xdg-open", 0)
    assert file_manager.is_there({"DISPLAY": ":0"})
    assert file_manager.is_there({"WAYLAND_DISPLAY": "wayland-0"})
    assert not file_manager.is_there({"DISPLAY": ""})


def test_the_server_shows_a_photo_of_the_gallery_and_nothing_else(desktop, photos):
    told = desktop("dbus-send", 0)
    searcher = InkSearcher("one", photos.values())
    known = next(id for id, path in searcher.paths.items() if path == photos["top"])
    with serving({"one": searcher}) as world:
        assert json.loads(world.ask("/api/gallery?gallery=one").body)["shows"] is True
        place = f"/api/show/{known}?gallery=one"
        assert world.ask(place).status == 405
        foreign = {"Origin": "http://elsewhere.example"}
        assert world.ask(place, b"", headers=foreign).status == 403
        assert world.ask(place, b"", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
        for wrong in (ID, "..%2F..%2Fetc%2Fpasswd", "x"):
            assert world.ask(f"/api/show/{wrong}?gallery=one", b"").status == 404
        assert not told.exists()
        assert world.ask(place, b"").status == 200
        assert told.read_text().rstrip().splitlines()[-2].endswith("/top.png")
        photos["top"].unlink()
        assert world.ask(place, b"").status == 410


def test_a_server_that_others_reach_shows_nothing(desktop, photos):
    told = desktop("dbus-send", 0)
    searcher = InkSearcher("one", photos.values())
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with serving({"one": searcher}, host="0.0.0.0", token=TOKEN) as world:
        about = world.ask("/api/gallery?gallery=one", headers=headers)
        assert json.loads(about.body)["shows"] is False
        place = f"/api/show/{next(iter(searcher.paths))}?gallery=one"
        assert world.ask(place, b"", headers=headers).status == 404
    assert not told.exists()


@pytest.mark.parametrize("screen", [":7", ""], ids=["a screen", "no screen"])
def test_the_page_offers_it_where_the_server_does(desktop, photos, tabs, monkeypatch, screen):
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    told = desktop("dbus-send", 0)
    with serving({"one": InkSearcher("one", photos.values())}) as world:
        tab = opened(tabs, world.url)
        draw(tab, [(0.5, 0.1), (0.5, 0.9)])
        tab.locator(".photo").first.click()
        expect(tab.locator("#copy")).to_be_visible()
        if screen:
            tab.locator("#show").click()
            expect(tab.locator("#show")).to_have_text("Shown")
            assert quote(tab.locator("#viewer-name").inner_text()) in told.read_text()
        else:
            expect(tab.locator("#show")).to_be_hidden()
        tab.close()
