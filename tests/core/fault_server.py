"""A server on 127.0.0.1 that serves one file and plays faults, one request after another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


class Server:
    """What is served, the answers still to be given, and the requests that came.

    After the last of `script` every request gets the file as an ordinary server gives it.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.etag = '"one"'
        self.script: list[Answer] = []
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self.url = ""


@contextmanager
def serving(data: bytes) -> Iterator[Server]:
    server = Server(data)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.ranges.append(self.headers.get("Range"))
            server.paths.append(self.path)
            self.close_connection = True
            answer = server.script.pop(0) if server.script else ordinary(server)
            answer(self, server.data)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def reply(request: BaseHTTPRequestHandler, code: int, body: bytes = b"", **headers: str) -> None:
    request.send_response(code)
    given = {"Content-Length": str(len(body))} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    for name, value in given.items():
        if value:
            request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


def ordinary(server: Server, *, ranges: bool = True, stop: int | None = None) -> Answer:
    """The file, or the part asked for where it is still the same file.

    Args:
        ranges: whether parts are given at all.
        stop: the connection breaks after so many bytes of the body.
    """

    def answer(request: BaseHTTPRequestHandler, data: bytes) -> None:
        wanted = request.headers.get("Range", "")
        same = request.headers.get("If-Range", server.etag) == server.etag
        start = int(wanted[6:].split("-")[0]) if ranges and wanted and same else 0
        if start >= len(data):
            reply(request, 416, Content_Range=f"bytes */{len(data)}")
            return
        body = data[start:]
        more = {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        more |= {"ETag": server.etag, "Content_Length": str(len(body))}
        reply(request, 206 if start else 200, body[:stop], **more)

    return answer


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """An answer with that status."""
    return lambda request, data: reply(request, code, body, **headers)


def drop(request: BaseHTTPRequestHandler, data: bytes) -> None:
    """The connection ends before any answer."""


def page(text: str, code: int = 200, kind: str = "text/html; charset=utf-8") -> Answer:
    """A web page."""
    return status(code, text.encode(), Content_Type=kind)
