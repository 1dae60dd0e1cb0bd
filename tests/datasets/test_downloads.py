"""A data set that is not given is fetched: from a mirror on this machine."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from raw_files import EXTENDED, OFFICIAL, packed, write

from sbirctl.core.errors import MissingError, UsageError
from sbirctl.core.progress import Reporter
from sbirctl.datasets import DATASETS
from sbirctl.datasets.published import downloads
from sbirctl.datasets.published.catalogue import KINDS, Archive, Catalogue, Copy, catalogue
from sbirctl.datasets.published.downloads import choose_copy, downloads_folder, mirror, plan
from sbirctl.pipeline.datasets import verify_dataset
from sbirctl.pipeline.prepare import prepare

FETCHED = [name for name in DATASETS.names() if catalogue(name).copies]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Notes(Reporter):
    def __init__(self):
        self.lines: list[str] = []

    def note(self, message):
        self.lines.append(message)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("SBIRCTL_MIRROR", raising=False)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder served as the mirror, with both archives of Sketchy."""
    root = tmp_path / "served"
    (root / "sketchy").mkdir(parents=True)
    write(tmp_path / "raw", OFFICIAL + EXTENDED)
    packed(tmp_path / "raw/256x256", root / "sketchy/rendered_256x256.7z")
    packed(tmp_path / "raw/EXTEND_image_sketchy", root / "sketchy/EXTEND_image_sketchy.zip")
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("SBIRCTL_MIRROR", f"http://127.0.0.1:{httpd.server_address[1]}/")
    yield root
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def fetched(**more):
    notes = Notes()
    folder = prepare("sketchy", {}, settings={"size": 8}, workers=1, report=notes, **more)
    return folder, notes.lines


def test_without_files_the_archives_are_fetched_and_prepared(served):
    folder, lines = fetched()
    counts = json.loads((folder / "manifest.json").read_text())["counts"][""]
    assert (counts["photos"], counts["sketches"]) == (16, 12)
    assert any("ImageNet" in line for line in lines)  # the terms
    record = json.loads((downloads_folder("sketchy") / "terms.json").read_text())
    assert record["terms"] == list(catalogue("sketchy").terms)


def test_terms_are_shown_once_and_archives_fetched_once(served):
    fetched()
    for file in served.rglob("*.*"):
        file.unlink()
    _, lines = fetched(fresh=True)
    assert not any("ImageNet" in line for line in lines)


def test_a_dry_run_says_what_would_be_fetched(served, tmp_path):
    folder, lines = fetched(dry_run=True)
    text = "\n".join(lines)
    assert folder is None
    assert "rendered_256x256.7z" in text
    assert "EXTEND_image_sketchy.zip" in text
    assert "--copy zse" in text
    assert "reported dead" in text or "Space:" in text
    assert "kB" in text or "MB" in text
    assert not (tmp_path / "home").exists()


def test_no_space(served, monkeypatch):
    monkeypatch.setattr(downloads, "_free", lambda folder: 10)
    with pytest.raises(Exception, match="10 B are free"):
        fetched()


def test_files_and_a_copy_exclude_each_other(served, tmp_path):
    with pytest.raises(UsageError, match="--copy zse"):
        prepare("sketchy", {"from": [tmp_path / "raw"]}, copy="zse")


class TestCopies:
    def test_dead_links_are_passed_over(self):
        assert choose_copy("sketchy").name == "zse"
        assert any("reported dead" in line for line in
                   downloads.dead_links("sketchy", choose_copy("sketchy")))  # fmt: skip

    def test_a_mirror_has_the_publishers_own(self, monkeypatch):
        monkeypatch.setenv("SBIRCTL_MIRROR", "http://mirror.example")
        copy = choose_copy("sketchy")
        assert copy.name == "official"
        urls = [one.remote.url for one in plan("sketchy", copy, ask=False)]
        assert urls[0] == "http://mirror.example/sketchy/rendered_256x256.7z"

    def test_by_name(self):
        assert choose_copy("sketchy", "sake").name == "sake"
        with pytest.raises(UsageError) as caught:
            choose_copy("sketchy", "sak")
        assert "sake" in caught.value.hint

    def test_all_dead(self, monkeypatch):
        dead = Catalogue(copies=(Copy("a", "a", (Archive("a.zip", "http://a", dead="gone"),)),))
        monkeypatch.setattr(downloads, "catalogue", lambda name: dead)
        with pytest.raises(MissingError, match="No link"):
            choose_copy("sketchy")

    @pytest.mark.parametrize("address", ["file:///etc", "mirror", "ftp://a"])
    def test_a_mirror_is_a_web_server(self, monkeypatch, address):
        monkeypatch.setenv("SBIRCTL_MIRROR", address)
        with pytest.raises(UsageError, match="no server's address"):
            mirror()


@pytest.mark.parametrize("name", FETCHED)
class TestCatalogue:
    def test_says_what_a_person_must_know(self, name):
        known = catalogue(name)
        assert known.terms
        assert known.citation
        assert all(copy.archives for copy in known.copies)
        assert DATASETS.get(name).page

    def test_addresses(self, name):
        for copy in catalogue(name).copies:
            for archive in copy.archives:
                assert bool(archive.url) != bool(archive.drive)
                assert archive.address.startswith("https://")
                assert archive.file.endswith((".zip", ".7z", ".tar.gz"))

    def test_published_counts_name_their_source(self, name):
        for row in catalogue(name).published:
            assert row["source"]
            numbers = {k.removesuffix("_train").removesuffix("_test") for k in row} - {"source"}
            assert numbers <= set(KINDS)

    def test_sides_add_up(self, name):
        for row in catalogue(name).published:
            for kind in ("photos", "sketches"):
                if f"{kind}_train" in row:
                    assert row[f"{kind}_train"] + row[f"{kind}_test"] == row[kind]


def test_every_data_set_of_the_papers_can_be_fetched():
    assert FETCHED == ["chairv2", "quickdraw", "shoev2", "sketchy", "tuberlin"]


def test_drive_addresses_carry_the_resource_key():
    archive = catalogue("sketchy").copies[0].archives[0]
    assert "resourcekey=0-" in archive.address
    assert archive.page.startswith("https://drive.google.com/file/d/")


def test_verify_says_whose_counts_they_are(served):
    folder, _ = fetched()
    notes = Notes()
    verify_dataset(folder.name, report=notes)
    assert "Counts: 12 sketches, 5 photos, 11 extended photos." in notes.lines
    assert any(line.startswith("Other than in the publisher's page") for line in notes.lines)
    assert any("Classes without any file" in line for line in notes.lines)
