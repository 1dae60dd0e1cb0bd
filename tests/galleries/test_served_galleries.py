"""Which galleries a server opens, keeps, opens again and forgets."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from waiting import PATIENCE

from sbirctl.core.errors import MissingError
from sbirctl.galleries.gallery import GalleryInfo
from sbirctl.galleries.server.galleries import Galleries
from sbirctl.galleries.server.http_errors import HttpError


class Shelf:
    """What there is, what was opened and what has changed."""

    def __init__(self, *names):
        self.names, self.opened, self.changed = list(names), [], set()

    def galleries(self, chosen=(), **more):
        return Galleries(chosen, opener=self.open, lister=self.list, **more)

    def list(self):
        return [self.info(name) for name in self.names]

    def info(self, name):
        return GalleryInfo(name, 1, "model", 4, "exact")

    def open(self, name):
        if name not in self.names and "://" not in name:
            raise MissingError(f"no {name}")
        self.opened.append(name)
        self.changed.discard(name)
        return SimpleNamespace(info=self.info(name), stale=lambda: name in self.changed)


def test_the_first_is_the_default_and_each_is_opened_once():
    shelf = Shelf("a", "b")
    galleries = shelf.galleries()
    assert [galleries.get(name).info.name for name in ("", "a", "b", "")] == ["a", "a", "b", "a"]
    assert shelf.opened == ["a", "b"]


def test_one_that_changed_is_opened_again_after_a_while():
    shelf = Shelf("a")
    patient, eager = shelf.galleries(patience=1000), shelf.galleries(patience=0)
    patient.get("a"), eager.get("a")
    shelf.changed.add("a")
    patient.get("a")
    assert shelf.opened == ["a", "a"]
    eager.get("a")
    assert shelf.opened == ["a", "a", "a"]


def test_those_asked_for_longest_ago_leave():
    shelf = Shelf("a", "b", "c")
    galleries = shelf.galleries(most=2)
    for name in "abacab":
        galleries.get(name)
    assert "".join(shelf.opened) == "abcb"


def test_a_remote_one_is_shown_only_where_it_was_chosen():
    shelf = Shelf("a")
    remote = "qdrant://host:6333/b"
    with pytest.raises(HttpError, match="no gallery"):
        shelf.galleries().get(remote)
    galleries = shelf.galleries([remote])
    assert galleries.get("").info.name == remote
    assert [info.name for info in galleries.infos()] == [remote]
    with pytest.raises(HttpError):
        galleries.get("a")


def test_without_any_gallery():
    with pytest.raises(HttpError):
        Shelf().galleries().get("")


def test_many_threads_open_one_gallery_once_and_others_need_not_wait():
    shelf = Shelf("a", "slow")
    galleries = shelf.galleries()
    galleries.get("a")
    gate, plain = threading.Event(), shelf.open

    def slow(name):
        assert gate.wait(2 * PATIENCE)
        return plain(name)

    galleries._opener = slow
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(galleries.get, "slow") for _ in range(7)]
        assert pool.submit(galleries.get, "a").result(PATIENCE).info.name == "a"
        gate.set()
        assert {job.result(PATIENCE).info.name for job in jobs} == {"slow"}
    assert shelf.opened == ["a", "slow"]
