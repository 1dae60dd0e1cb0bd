"""What the server does not answer, and what does not bring it down."""

import http.client
import io
import json
import os
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from PIL import Image
from serving import SPOTS, InkSearcher, drawn, make_photos, png, serving
from uvicorn.protocols.http.h11_impl import H11Protocol
from waiting import PATIENCE, wait_for

from sbirctl.core.files import digest_file
from sbirctl.galleries.gallery import GalleryInfo
from sbirctl.galleries.server.middleware import HEADERS

SECRET = b"the secret of another file"
DRAWING = png(drawn("left"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "secret.png").write_bytes(SECRET)
    return folder


@pytest.fixture(scope="module")
def world(folder):
    photos = make_photos(folder / "photos")
    with serving({"one": InkSearcher("one", photos.values())}) as world:
        yield world
        assert world.search(DRAWING).status == 200  # still well after all that
    assert world.warnings == []


@pytest.fixture
def own(tmp_path):
    """A searcher whose photos a test may spoil."""
    return InkSearcher("one", make_photos(tmp_path / "photos").values())


def error_of(answer):
    return json.loads(answer.body)["error"]


# Files and names


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "..%2f..%2fsecret.png",
        "%2e%2e/%2e%2e/secret.png",
        "....//secret.png",
        "%2fetc%2fpasswd",
        "..%5c..%5csecret.png",
        "%00",
        "A" * 64,
        "0" * 64,
        "0" * 63,
        "0" * 65,
        "0" * 64 + "%0a",
        "0" * 64 + "/../../secret.png",
    ],
)
@pytest.mark.parametrize("room", ["photo", "thumbnail", "api/like", "page", "."])
def test_an_id_is_no_path(world, room, name):
    answer = world.ask(f"/{room}/{name}")
    assert answer.status == 404
    assert SECRET not in answer.body
    assert error_of(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "/server.py",
        "/style.css/",
    ],
)
def test_nothing_but_the_pages_own_files_is_sent(world, path):
    assert world.ask(path).status == 404


def test_a_whole_address_as_target_is_not_fetched(world):
    answer = world.ask("http://127.0.0.1:1/etc/passwd")
    assert answer.status == 404


def replace_by_link(path, folder):
    (folder / "other").write_bytes(SECRET)
    path.unlink()
    path.symlink_to(folder / "other")


def replace_by_other_bytes(path, folder):
    path.write_bytes(SECRET)


def replace_by_pipe(path, folder):
    path.unlink()
    os.mkfifo(path)


def replace_by_folder(path, folder):
    path.unlink()
    path.mkdir()


def replace_by_nothing(path, folder):
    path.unlink()


@pytest.mark.parametrize(
    "replace",
    [
        replace_by_link,
        replace_by_other_bytes,
        replace_by_pipe,
        replace_by_folder,
        replace_by_nothing,
    ],
)
def test_a_photo_that_became_something_else_is_not_sent(own, tmp_path, replace):
    name, path = next(iter(own.paths.items()))
    with serving({"one": own}) as world:
        replace(path, tmp_path)
        for room in ("photo", "thumbnail"):
            answer = world.ask(f"/{room}/{name}")
            assert answer.status == 410
            assert SECRET not in answer.body
        assert world.search(DRAWING).status == 200


def test_a_photo_too_large_to_send_is_refused(own):
    name, path = next(iter(own.paths.items()))
    with serving({"one": own}, file=path.stat().st_size - 1) as world:
        assert world.ask(f"/photo/{name}").status == 413
        assert world.ask(f"/thumbnail/{name}").status == 413


@pytest.mark.parametrize(
    "name", ["../one", "qdrant://127.0.0.1:1/x", "http://127.0.0.1:1/", "/", "\0"]
)
@pytest.mark.parametrize("path", ["/api/gallery", "/api/like/" + "0" * 64, "/photo/" + "0" * 64])
def test_a_request_opens_no_other_gallery(own, name, path):
    asked = []

    class Watched(dict):
        def __contains__(self, name):
            asked.append(name)
            return super().__contains__(name)

    with serving(Watched(one=own)) as world:
        answer = world.ask(f"{path}?gallery={quote(name, safe='')}")
    assert answer.status == 404
    assert asked == []


def test_only_the_chosen_galleries_are_shown(own):
    searchers = {"one": own, "two": own}
    searchers["two"] = InkSearcher("two", own.paths.values())
    with serving(searchers, chosen=["two"]) as world:
        assert world.ask("/api/gallery?gallery=one").status == 404
        assert [one["name"] for one in json.loads(world.ask("/api/galleries").body)] == ["two"]
        assert json.loads(world.ask("/api/gallery").body)["name"] == "two"


def test_names_are_sent_as_data_that_no_browser_takes_for_a_page(tmp_path):
    nasty = "<img src=x onerror=alert(1)>.png"
    one = InkSearcher("one", make_photos(tmp_path, {"left": nasty}).values())
    with serving({"one": one}) as world:
        answer = world.search(DRAWING, "&as=photo")
        assert nasty in json.loads(answer.body)["photos"][0]["path"]
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


# Uploads


def bomb(width, height):
    """A PNG of white pixels that is small however large it says it is."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    lines = zlib.compress(b"\0" * min(1_000_000, height * (1 + width // 8)), 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


@pytest.mark.parametrize("place", ["/api/search?as=sketch", "/api/search?as=photo", "/api/drawing"])
@pytest.mark.parametrize("size", [(20_000, 20_000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(world, place, size):
    answer = world.ask(place, bomb(*size))
    assert answer.status == 400
    assert "pixels" in error_of(answer) or "read" in error_of(answer)


ENTITIES = b"""<?xml version="1.0"?>
<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<svg xmlns="http://www.w3.org/2000/svg"><path d="&b;"/></svg>"""


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"\0" * 1000,
        b"<svg",
        b"<html><script>alert(1)</script></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg">' + b"<g>" * 5000,
        ENTITIES,
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        b'{"drawing": 7}',
        b'{"drawing": [[[NaN], [1e999]]]}',
        b"{" * 100_000,
        b'{"drawing": ' + b"[" * 100_000,
        b"%PDF-1.4",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n",
        DRAWING[:120],
        b"RIFF\xff\xff\xff\xffWEBPVP8 ",
    ],
    ids=range(15),
)
def test_what_is_no_drawing_is_told_so(world, data):
    for place in ("/api/drawing", "/api/search"):
        answer = world.ask(place, data)
        assert answer.status == 400
        assert error_of(answer)


def test_a_file_too_large_is_refused_before_it_is_read(world):
    with socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE) as line:
        head = f"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**12}\r\n\r\n"
        line.sendall(head.encode())
        assert line.recv(1000).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("length", ["", "-1", "1e3", "+5", "0x10", "\u0661"])
def test_a_file_of_unknown_length_is_refused(world, length):
    words = f"Content-Length: {length}" if length else "Transfer-Encoding: chunked"
    with socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE) as line:
        line.sendall(f"POST /api/search HTTP/1.1\r\nHost: localhost\r\n{words}\r\n\r\n".encode())
        assert line.recv(1000).split()[1] in (b"400", b"411")


def test_files_that_come_together_stay_below_a_bound(own):
    with serving({"one": own}, bodies=1500) as world:
        held = socket.create_connection(("127.0.0.1", world.port))
        head = "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1400\r\n\r\n"
        held.sendall(head.encode())
        wait_for(lambda: world.search(b"x" * 200).status == 503)
        held.close()
        wait_for(lambda: world.search(DRAWING).status == 200)


def test_lines_that_would_take_long_to_draw_are_refused(world):
    path = b"L9 9" * 150_000
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0' + path + b'"/></svg>'
    for data in (svg, b"\n " + svg, b'{"drawing": [' + b"[[1, 2], [3, 4]]," * 40_000 + b"[]]}"):
        assert world.ask("/api/drawing", data).status == 413
        assert world.search(data).status == 413


def test_files_that_wait_for_their_answer_count_too(own):
    own.hold = threading.Event()
    with serving({"one": own}, bodies=2 * len(DRAWING)) as world, ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(world.search, DRAWING) for _ in range(3)]
        wait_for(lambda: any(job.done() for job in jobs))  # one too many, whichever it is
        own.hold.set()
        assert sorted(job.result().status for job in jobs) == [200, 200, 503]
        assert world.search(DRAWING).status == 200


def test_names_that_are_no_text_are_sent_somehow(own):
    own.info = GalleryInfo("\udcff", 4, "ink", 16, "exact")
    with serving({"\udcff": own}) as world:
        assert json.loads(world.ask("/api/galleries").body)[0]["name"] == "\udcff"
        assert world.ask("/api/gallery").status == 200


LONG = "&words=" + "a" * 301


@pytest.mark.parametrize(
    "more",
    ["&k=0", "&k=1001", "&k=-1", "&k=x", "&k=9" + "9" * 20, "&k=%D9%A1", "&as=video", LONG],
)
def test_parameters_are_bounded(world, more):
    assert world.search(DRAWING, more).status == 400


# Time and number


def well(world):
    """Whether an honest search is answered; where a test has short limits it may be too slow."""
    try:
        return world.search(DRAWING).status == 200
    except ConnectionError:
        return False


def costly(side=2000, scans=450):
    """A small JPEG that takes a second to decode: each of its scans goes over all pixels."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), "white").save(out, "JPEG", progressive=True)
    data = out.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + b"\xff\xd9"


@pytest.mark.parametrize("path", ["/api/search?gallery=one", "/api/drawing"])
def test_an_upload_that_takes_too_long_is_given_up(own, path):
    with serving({"one": own}, decode_seconds=0.3) as world:
        for more in ("", "&as=photo") if "search" in path else ("",):
            answer = world.ask(path + more, costly())
            assert answer.status == 400
            assert "it takes more than 0.3 s of processor" in error_of(answer)
        assert world.search(DRAWING).status == 200
    assert world.warnings == []


def test_an_upload_that_takes_too_much_memory_is_given_up(own):
    out = io.BytesIO()
    Image.new("RGBA", (5000, 5000)).save(out, "PNG")
    assert len(out.getvalue()) < 1 << 20
    with serving({"one": own}, decode_memory=50_000_000) as world:
        assert world.search(out.getvalue()).status == 400
        assert world.search(DRAWING).status == 200


def test_a_costly_upload_lets_others_by(own):
    with serving({"one": own}, decode_seconds=PATIENCE) as world, ThreadPoolExecutor() as pool:
        slow = pool.submit(world.search, costly())
        assert [world.search(DRAWING).status for _ in range(5)] == [200] * 5
        assert not slow.done()
    assert world.warnings == []


def test_costly_uploads_give_way_to_others(own):
    limits = {"decoders": 2, "decode_seconds": PATIENCE, "decode_patience": 0.2}
    with serving({"one": own}, **limits) as world, ThreadPoolExecutor() as pool:
        slow = [pool.submit(world.search, costly()) for _ in range(2)]
        while not any(one.done() for one in slow):  # until both were begun and another waited
            assert world.search(DRAWING).status == 200
        given_up = next(one for one in slow if one.done()).result()
        assert given_up.status == 400
        assert "others wait" in error_of(given_up)


def test_costly_photos_of_the_gallery_give_way_to_others(own, tmp_path):
    plain, data = next(iter(own.paths)), costly(side=2600)
    for number in range(3):
        path = tmp_path / f"slow-{number}.jpg"
        path.write_bytes(data + bytes([number]))
        own.paths[digest_file(path)] = path
    slow = list(own.paths)[-3:]
    with serving({"one": own}, photo_patience=0.3) as world, ThreadPoolExecutor() as pool:
        asked = [pool.submit(world.ask, f"/thumbnail/{name}") for name in slow]
        assert world.search(DRAWING).status == 200
        assert world.ask(f"/thumbnail/{plain}").status == 200
        given_up = [one.result() for one in asked if one.result().status != 200]
    assert given_up
    assert {answer.status for answer in given_up} == {400}
    assert all("others wait" in error_of(answer) for answer in given_up)
    assert world.warnings == []


def closes(line):
    """Whether the server ends a connection, whatever it says before."""
    line.settimeout(PATIENCE)
    try:
        while line.recv(10_000):
            pass
    except ConnectionError:
        pass
    return True


HALVES = {
    "nothing": b"",
    "half a line": b"GET / HT",
    "half a head": b"GET / HTTP/1.1\r\nHost: localhost\r\n",
    "half a body": b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nab",
}


@pytest.mark.parametrize("half", HALVES)
def test_half_a_request_is_cut_off(own, half):
    with (
        serving({"one": own}, receive_seconds=0.3) as world,
        socket.create_connection(("127.0.0.1", world.port)) as line,
    ):
        line.sendall(HALVES[half])
        assert closes(line)
        wait_for(lambda: well(world))


def test_bytes_that_trickle_do_not_keep_a_connection(own):
    with (
        serving({"one": own}, receive_seconds=0.4) as world,
        socket.create_connection(("127.0.0.1", world.port)) as line,
        pytest.raises(ConnectionError),
    ):
        line.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(20 * PATIENCE):
            line.sendall(b"X: y\r\n")
            time.sleep(0.05)


def test_half_a_body_is_told_so_and_its_room_is_free_again(own):
    with serving({"one": own}, receive_seconds=2, bodies=3000) as world:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE) as line:
                head = (
                    "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2500\r\n\r\n"
                )
                line.sendall(head.encode())
                assert line.recv(1000).startswith(b"HTTP/1.1 408")
        wait_for(lambda: well(world))


def test_who_asks_and_never_reads_is_cut_off(tmp_path, monkeypatch):
    cut, lost = threading.Event(), H11Protocol.connection_lost
    monkeypatch.setattr(H11Protocol, "connection_lost", lambda *more: lost(*more) or cut.set())
    large = tmp_path / "large.bmp"  # more than the system keeps on its way
    Image.new("L", (4000, 3000), 77).save(large)
    one = InkSearcher("one", [large])
    with (
        serving({"one": one}, answer_seconds=0.5) as world,
        socket.create_connection(("127.0.0.1", world.port)) as line,
    ):
        name = next(iter(one.paths))
        line.sendall(f"GET /photo/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert cut.wait(PATIENCE)
        line.settimeout(PATIENCE)
        got = 0
        try:
            while block := line.recv(1 << 20):
                got += len(block)
        except ConnectionError:
            pass
        assert got < large.stat().st_size
        wait_for(lambda: well(world))


def test_fifty_clients_at_once_all_get_their_own_answer(world):
    spots = [*SPOTS] * 13

    def one(spot):
        small = world.search(png(drawn(spot)), "&as=photo&k=1")
        hit = json.loads(small.body)["photos"][0]
        photo = world.ask(f"/thumbnail/{hit['id']}?gallery=one")
        return small.status, photo.status, os.path.basename(hit["path"])

    with ThreadPoolExecutor(52) as pool:
        found = list(pool.map(one, spots))
    assert found == [(200, 200, f"{spot}.png") for spot in spots]


def test_a_full_queue_says_so_and_empties(own):
    own.hold = threading.Event()
    with serving({"one": own}, waiting=2) as world, ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(world.search, DRAWING) for _ in range(8)]
        wait_for(lambda: sum(job.done() for job in jobs) == 5)
        own.hold.set()
        statuses = sorted(job.result().status for job in jobs)
        assert statuses == [200] * 3 + [503] * 5
        refused = next(job.result() for job in jobs if job.result().status == 503)
        assert refused.headers["retry-after"] == "1"
        assert world.search(DRAWING).status == 200


def test_too_many_questions_from_one_address(own):
    with serving({"one": own}, rate=0.001, burst=3) as world:
        assert [world.search(DRAWING).status for _ in range(5)] == [200, 200, 200, 429, 429]
        assert world.ask("/api/drawing", DRAWING).status == 429
        assert world.ask("/api/galleries").status == 200


def test_garbage_is_no_request(world):
    for data in (b"\0\1\2\3\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100_000):
        with socket.create_connection(("127.0.0.1", world.port)) as line:
            try:
                line.sendall(data)
                line.shutdown(socket.SHUT_WR)
            except ConnectionError:
                continue
            assert closes(line)


def test_other_methods_do_nothing(world):
    name = next(iter(world.searchers["one"].paths))
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert world.ask(f"/photo/{name}", method=method).status == 405
    assert world.ask("/api/search", method="GET").status == 405
    assert world.ask("/", method="HEAD").body == b""


# The gallery goes


def test_a_gallery_deleted_while_it_is_served(own):
    searchers = {"one": own, "two": InkSearcher("two", own.paths.values())}
    name = next(iter(own.paths))
    with serving(searchers) as world:
        assert world.search(DRAWING).status == 200
        del searchers["one"]
        answer = world.search(DRAWING)
        assert answer.status == 410
        assert "'one' is not there any more" in error_of(answer)
        for path in (f"/photo/{name}", f"/thumbnail/{name}", f"/api/like/{name}"):
            assert world.ask(f"{path}?gallery=one").status == 410
        assert world.ask("/api/gallery?gallery=two").status == 200
        del searchers["two"]
        assert world.ask("/api/gallery").status == 404
        assert json.loads(world.ask("/api/galleries").body) == []
    assert world.warnings == []


def test_a_failure_tells_the_terminal_and_not_the_browser(own):
    own.search = lambda vector, k: 1 / 0
    with serving({"one": own}) as world:
        answer = world.search(DRAWING)
        assert answer.status == 500
        assert b"Division" not in answer.body
        assert "terminal" in json.loads(answer.body)["hint"]
    assert "ZeroDivisionError" in world.warnings[0]


# Other sites


@pytest.mark.parametrize("path", ["/", "/main.js", "/nowhere", "/api/galleries", "/photo/x"])
def test_every_answer_carries_the_policy(world, path):
    answer = world.ask(path)
    for name, value in HEADERS.items():
        assert answer.headers[name.lower()] == value
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "0.0.0.0", "10.0.0.7", ""]
)
def test_a_name_that_was_bound_to_this_machine_is_refused(world, host):
    for path in ("/", "/api/galleries"):
        answer = world.ask(path, headers={"Host": host})
        assert answer.status == 421
        assert answer.headers["content-security-policy"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1:1", "[::1]:8321"])
def test_own_names_are_answered_at_any_port_for_tunnels(world, host):
    assert world.ask("/", headers={"Host": host}).status == 200


def test_another_sites_page_cannot_ask(world):
    name = next(iter(world.searchers["one"].paths))
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert world.search(DRAWING, Origin="https://evil.example").status == 403
    assert world.search(DRAWING, Origin="null").status == 403
    assert world.search(DRAWING, **{"Sec-Fetch-Site": "same-site"}).status == 403
    assert world.ask(f"/photo/{name}", headers=cross).status == 403
    followed = {**cross, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert world.ask("/", headers=followed).status == 200
    assert world.search(DRAWING, **followed).status == 403
    own = f"http://127.0.0.1:{world.port}"
    assert world.search(DRAWING, **{"Origin": own, "Sec-Fetch-Site": "same-origin"}).status == 200


# The token

TOKEN = "a-token-of-this-test"


def test_without_the_token_nothing_is_answered(own):
    name = next(iter(own.paths))
    with serving({"one": own}, token=TOKEN) as world:
        paths = ["/", "/main.js", "/api/galleries", f"/photo/{name}", "/?token=wrong", "/nowhere"]
        for path in [*paths, f"/api/galleries?token={TOKEN}"]:
            assert world.ask(path).status == 401
        assert world.search(DRAWING).status == 401
        for cookie in ("x", f"sbirctl-{world.port}={TOKEN}", "=;=;", f"sbirctl-{world.port}=\xe9"):
            assert world.ask("/", headers={"Cookie": cookie}).status == 401
        assert world.ask("/", headers={"Authorization": "Bearer wrong"}).status == 401


def test_the_token_is_changed_for_a_cookie_and_leaves_the_address(own):
    with serving({"one": own}, token=TOKEN) as world:
        first = world.ask(f"/?token={TOKEN}")
        assert [first.status, first.headers["location"]] == [303, "/"]
        cookie = first.headers["set-cookie"]
        assert TOKEN not in cookie
        assert "httponly" in cookie.lower()
        assert "samesite=lax" in cookie.lower()
        kept = {"Cookie": cookie.partition(";")[0]}
        assert world.ask("/", headers=kept).status == 200
        assert world.ask("/api/galleries", headers=kept).status == 200
        assert world.ask("/", headers={"Authorization": f"Bearer {TOKEN}"}).status == 200


def test_answers_on_a_kept_connection_stay_apart(world):
    line = http.client.HTTPConnection("127.0.0.1", world.port, timeout=PATIENCE)
    for spot in SPOTS:
        line.request("POST", "/api/search?as=photo&k=1", png(drawn(spot)))
        hit = json.load(io.BytesIO(line.getresponse().read()))["photos"][0]
        assert hit["path"].endswith(f"{spot}.png")
    line.close()
