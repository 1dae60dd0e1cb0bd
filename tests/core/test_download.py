import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from fault_server import Server, drop, ordinary, page, serving, status

from sbirctl.core.download import Remote, fetch, size_of
from sbirctl.core.errors import CorruptError, MissingError, SbirctlError
from sbirctl.core.files import digest_bytes, lock
from sbirctl.core.progress import Reporter

DATA = np.random.default_rng(0).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()
CONFIRM = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>
<body>Too large to scan.<form id="download-form" action="{action}" method="get">
<input type="hidden" name="id" value="abc"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="1-2">
<input type="submit" value="Download anyway"></form></body></html>"""
QUOTA = "<html><head><title>Google Drive - Quota exceeded</title></head>Quota exceeded</html>"


@pytest.fixture
def server():
    with serving(DATA) as running:
        yield running


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


class Notes(Reporter):
    def __init__(self):
        self.warnings: list[str] = []

    def warn(self, message):
        self.warnings.append(message)


@pytest.fixture
def get(server: Server, tmp_path: Path):
    waits: list[float] = []

    def call(**more):
        settings = {
            "url": f"{server.url}/a.zip",
            "page": "https://page",
            "instead": "`again`",
        } | more
        report = settings.pop("report", Notes())
        tries = settings.pop("tries", 4)
        remote = Remote(**settings)
        return fetch(remote, tmp_path / "a.zip", report=report, tries=tries, pause=waits.append)

    call.waits = waits
    return call


def part(tmp_path, length, **more):
    """A file of which `length` bytes arrived earlier."""
    (tmp_path / "a.zip.part").write_bytes(DATA[:length])
    known = {"etag": '"one"', "modified": "", "total": len(DATA)} | more
    (tmp_path / "a.zip.part.json").write_text(json.dumps(known))


def test_a_file_arrives_whole_with_a_receipt(get, server, tmp_path):
    assert get().read_bytes() == DATA
    receipt = json.loads((tmp_path / "a.zip.json").read_text())
    assert receipt["sha256"] == digest_bytes(DATA)
    assert receipt["bytes"] == len(DATA)
    assert sorted(os.listdir(tmp_path)) == [".a.zip.lock", "a.zip", "a.zip.json"]
    get()
    assert len(server.paths) == 1  # nothing is fetched twice


class TestDrops:
    def test_continues_where_it_stopped(self, get, server):
        server.script = [ordinary(server, stop=1_000_000), ordinary(server, stop=500_000)]
        assert get().read_bytes() == DATA
        assert server.ranges == [None, "bytes=1000000-", "bytes=1500000-"]
        assert get.waits == [1, 1]  # bytes had arrived: no failure in a row

    def test_continues_in_a_later_call(self, get, server, tmp_path):
        server.script = [ordinary(server, stop=1_000_000), drop, drop, drop]
        with pytest.raises(MissingError) as caught:
            get()
        assert "The same command continues." in caught.value.hint
        assert (tmp_path / "a.zip.part").stat().st_size == 1_000_000
        assert not (tmp_path / "a.zip").exists()
        assert get().read_bytes() == DATA
        assert server.ranges[-1] == "bytes=1000000-"

    def test_waits_longer_and_longer_then_gives_up(self, get, server):
        server.script = [drop] * 4
        with pytest.raises(MissingError, match=r"a\.zip cannot be fetched from 127\.0\.0\.1"):
            get()
        assert get.waits == [1, 2, 4]

    def test_nobody_there(self, get, server, tmp_path):
        with pytest.raises(MissingError) as caught:
            get(url="http://127.0.0.1:9/a.zip")
        assert get.waits == [1]
        assert "https://page" in caught.value.hint
        assert "`again`" in caught.value.hint


@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_passing_refusals_are_waited_for(get, server, code):
    server.script = [status(code), status(code, Retry_After="7"), status(code, Retry_After="900")]
    assert get().read_bytes() == DATA
    assert get.waits == [1, 7, 120]


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_lasting_refusals_end_at_once(get, server, code):
    server.script = [status(code)]
    with pytest.raises(MissingError, match=str(code)):
        get()
    assert get.waits == []


class TestChanges:
    def test_another_etag_begins_anew(self, get, server, tmp_path):
        part(tmp_path, 900_000, url=f"{server.url}/a.zip", etag='"older"')
        assert get().read_bytes() == DATA

    def test_a_part_of_another_file_is_not_appended(self, get, server, tmp_path):
        part(tmp_path, 900_000, url=f"{server.url}/a.zip")
        server.etag = '"two"'
        wrong = status(206, b"x" * 10, Content_Range="bytes 900000-900009/900010", ETag='"two"')
        server.script = [wrong]
        report = Notes()
        assert get(report=report).read_bytes() == DATA
        assert any("changed" in line for line in report.warnings)

    @pytest.mark.parametrize(
        "header", ["bytes 5-2999999/3000000", "bytes 900000-2999999/4000000", ""]
    )
    def test_a_part_from_elsewhere_is_not_appended(self, get, server, tmp_path, header):
        part(tmp_path, 900_000, url=f"{server.url}/a.zip")
        server.script = [status(206, DATA[900_000:], Content_Range=header, ETag='"one"')]
        assert get().read_bytes() == DATA

    def test_a_server_without_ranges(self, get, server, tmp_path):
        part(tmp_path, 900_000, url=f"{server.url}/a.zip")
        server.script = [ordinary(server, ranges=False)]
        report = Notes()
        assert get(report=report).read_bytes() == DATA
        assert "begins anew" in report.warnings[0]

    def test_a_part_from_another_address_is_not_used(self, get, server, tmp_path):
        part(tmp_path, 900_000, url="http://elsewhere/a.zip")
        assert get().read_bytes() == DATA
        assert server.ranges == [None]

    def test_416_when_everything_had_arrived(self, get, server, tmp_path):
        part(tmp_path, len(DATA), url=f"{server.url}/a.zip")
        assert get().read_bytes() == DATA
        assert server.ranges == [f"bytes={len(DATA)}-"]

    def test_416_when_the_file_has_become_shorter(self, get, server, tmp_path):
        part(tmp_path, 900_000, url=f"{server.url}/a.zip")
        server.data = DATA[:1000]
        server.script = [status(416, Content_Range="bytes */1000")]
        assert get().read_bytes() == DATA[:1000]


class TestLengths:
    def test_another_length_than_published(self, get):
        with pytest.raises(CorruptError, match="3,000,000 bytes there, not the published 12"):
            get(bytes=12)

    def test_too_short_without_a_length(self, get, server, tmp_path):
        server.script = [status(200, DATA[:10], Content_Length="")]
        with pytest.raises(CorruptError, match="10 bytes instead of 3,000,000"):
            get(bytes=len(DATA))
        assert not (tmp_path / "a.zip").exists()

    def test_nothing(self, get, server):
        server.data = b""
        server.script = [status(200)]
        with pytest.raises(MissingError, match="empty"):
            get()

    def test_size_is_asked_for(self, server):
        assert size_of(Remote(server.url)) == len(DATA)
        server.script = [status(404)]
        assert size_of(Remote(server.url)) == 0


class TestPages:
    @pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/zip"])
    def test_are_never_saved_as_files(self, get, server, tmp_path, kind):
        server.script = [page("<!DOCTYPE html><html><title>Maintenance</title></html>", kind=kind)]
        with pytest.raises(MissingError, match=r"web page came instead of the file \(Mainten") as e:
            get()
        assert "https://page" in e.value.hint
        assert not (tmp_path / "a.zip").exists()
        assert not (tmp_path / "a.zip.part").exists()

    def test_leave_what_had_arrived(self, get, server, tmp_path):
        part(tmp_path, 900_000, url=f"{server.url}/a.zip")
        server.script = [page("<html><title>Log in</title></html>")]
        with pytest.raises(MissingError):
            get()
        assert get().read_bytes() == DATA
        assert server.ranges[-1] == "bytes=900000-"

    @pytest.mark.parametrize("code", [200, 403])
    def test_quota(self, get, server, code):
        server.script = [page(QUOTA, code)]
        with pytest.raises(MissingError, match="quota for this file is used up") as caught:
            get(drive=True)
        assert "`again`" in caught.value.hint

    def test_a_file_that_asks_for_leave(self, get, server):
        server.script = [page("<html>You need access. Request access</html>")]
        with pytest.raises(MissingError, match="login or for its owner's leave"):
            get(drive=True)


class TestConfirmation:
    def test_is_answered_and_the_file_continued(self, get, server):
        ask = page(CONFIRM.format(action="/download"))
        server.script = [ask, ordinary(server, stop=1_000_000), drop]
        assert get(drive=True).read_bytes() == DATA
        assert server.paths[1] == "/download?id=abc&export=download&confirm=t&uuid=1-2"
        assert server.ranges[-1] == "bytes=1000000-"

    def test_asked_again_and_again_ends(self, get, server):
        server.script = [page(CONFIRM.format(action="/download"))] * 3
        with pytest.raises(MissingError, match="web page"):
            get(drive=True)
        assert len(server.paths) == 2

    def test_another_question_every_time_ends(self, get, server):
        server.script = [page(CONFIRM.replace("1-2", str(i)).format(action="/download"))
                         for i in range(9)]  # fmt: skip
        with pytest.raises(MissingError, match="web page"):
            get(drive=True)
        assert len(server.paths) == 4

    @pytest.mark.parametrize("action", ["https://evil.example/download", "file:///etc/download"])
    def test_leads_nowhere_else(self, get, server, action):
        server.script = [page(CONFIRM.format(action=action))]
        with pytest.raises(MissingError):
            get(drive=True)
        assert len(server.paths) == 1

    def test_only_on_drive(self, get, server):
        server.script = [page(CONFIRM.format(action="/download"))]
        with pytest.raises(MissingError):
            get()
        assert len(server.paths) == 1


class TestLater:
    def test_a_file_that_changed_is_refused(self, get, tmp_path):
        get()
        with open(tmp_path / "a.zip", "r+b") as stream:
            stream.write(b"changed")
        with pytest.raises(CorruptError, match="has changed since it arrived"):
            get()

    def test_a_file_put_there_by_hand_is_taken_and_recorded(self, get, server, tmp_path):
        (tmp_path / "a.zip").write_bytes(b"own")
        assert get().read_bytes() == b"own"
        assert json.loads((tmp_path / "a.zip.json").read_text())["sha256"] == digest_bytes(b"own")
        assert server.paths == []


def test_no_space_is_said_before_anything_is_written(get, monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SbirctlError, match=r"No space left for a\.zip, which has 3\.0 MB"):
        get()
    assert not (tmp_path / "a.zip.part").exists()


def test_two_at_once(get, tmp_path):
    with lock(tmp_path / ".a.zip.lock", busy="x"), pytest.raises(SbirctlError, match="by another"):
        get()


def test_progress_counts_bytes(get, server, tmp_path):
    from contextlib import contextmanager

    seen = []

    class Bars(Notes):
        @contextmanager
        def bar(self, label, total=None, done=0):
            seen.append([total, done, 0])
            yield lambda steps=1: seen[-1].__setitem__(2, seen[-1][2] + steps)

    part(tmp_path, 1_000_000, url=f"{server.url}/a.zip")
    get(report=Bars())
    assert seen == [[len(DATA), 1_000_000, 2_000_000]]
