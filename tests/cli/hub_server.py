"""A server on 127.0.0.1 that speaks the hub's protocol as huggingface_hub uses it.

Repositories lie in memory: each commit is a dictionary of files. Large files go the way of LFS
(basic transfer), small ones inside the commit. Private ones are shown to who has the token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_tests"
_LARGE = 10_000  # bytes; the hub's rule looks at endings too


@dataclass
class Repo:
    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], ref: str = "main") -> str:
        name = hashlib.sha1(repr((ref, len(self.commits), sorted(files))).encode()).hexdigest()
        self.commits[name] = files
        self.refs[ref] = name
        return name

    def find(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        name = self.refs.get(revision, revision)
        return (name, self.commits[name]) if name in self.commits else None


class Hub:
    """What is kept, and the requests that came: "GET /api/…"."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.url = ""

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """The files of a revision, to look at or to tamper with."""
        found = self.repos[repo].find(revision)
        assert found is not None
        return found[1]


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    try:
        yield hub
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        for pattern, name in _ROUTES:
            if found := re.fullmatch(pattern, f"{self.command} {path}"):
                getattr(self, name)(body, *found.groups())
                return
        self._json(404, {"error": f"no route {self.command} {path}"})

    def _json(self, status: int, value: Any, **headers: str) -> None:
        self._reply(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def _reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        given = {"Content-Length": str(len(body)), **headers}
        for key, value in given.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _allowed(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _repo(self, name: str) -> Repo | None:
        """The repository; else it is answered that there is none."""
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and not self._allowed()):
            self._json(404, {"error": "Repository not found"}, **{"X-Error-Code": "RepoNotFound"})
            return None
        return repo

    def _writable(self) -> bool:
        if not self._allowed():
            self._json(401, {"error": "Invalid credentials"})
        return self._allowed()

    def create(self, body: bytes) -> None:
        if not self._writable():
            return
        given = json.loads(body)
        name = f"{given['organization']}/{given['name']}"
        if name in self.hub.repos:
            self._json(409, {"error": "exists", "url": f"{self.hub.url}/{name}"})
            return
        private = bool(given.get("private", given.get("visibility") == "private"))
        self.hub.repos[name] = repo = Repo(private)
        repo.commit({".gitattributes": b"*.bin filter=lfs\n"})
        self._json(200, {"url": f"{self.hub.url}/{name}", "name": name, "id": name})

    def info(self, _: bytes, name: str, revision: str | None = None) -> None:
        repo = self._repo(name)
        if repo is None:
            return
        found = repo.find(revision or "main")
        if found is None:
            self._json(404, {"error": "no revision"}, **{"X-Error-Code": "RevisionNotFound"})
            return
        commit, files = found
        siblings = [{"rfilename": file} for file in files]
        about = {"id": name, "sha": commit, "private": repo.private, "siblings": siblings}
        self._json(200, {**about, "modelId": name, "tags": [], "downloads": 0, "likes": 0})

    def resolve(self, _: bytes, name: str, revision: str, file: str) -> None:
        repo = self._repo(name)
        if repo is None:
            return
        found = repo.find(revision)
        if found is None or file not in found[1]:
            self._json(404, {"error": "no entry"}, **{"X-Error-Code": "EntryNotFound"})
            return
        data = found[1][file]
        etag = hashlib.sha256(data).hexdigest()
        self._reply(200, data, ETag=f'"{etag}"', **{"X-Repo-Commit": found[0]})

    def preupload(self, body: bytes, name: str) -> None:
        if self._repo(name) is None or not self._writable():
            return
        files = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["size"] > _LARGE else "regular",
                "shouldIgnore": False,
            }
            for one in json.loads(body)["files"]
        ]
        self._json(200, {"files": files})

    def batch(self, body: bytes, name: str) -> None:
        if self._repo(name) is None or not self._writable():
            return
        objects = []
        for one in json.loads(body)["objects"]:
            entry = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.hub.large:
                href = f"{self.hub.url}/put/{one['oid']}"
                entry["actions"] = {"upload": {"href": href}}
            objects.append(entry)
        self._json(200, {"transfer": "basic", "objects": objects})

    def put(self, body: bytes, digest: str) -> None:
        assert hashlib.sha256(body).hexdigest() == digest
        self.hub.large[digest] = body
        self._reply(200)

    def commit(self, body: bytes, name: str) -> None:
        repo = self._repo(name)
        if repo is None or not self._writable():
            return
        files = dict(self.hub.files(name))
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header" and value.get("parentCommit") not in (
                None,
                repo.refs["main"],
            ):
                self._json(412, {"error": "A commit has happened since. Please refresh"})
                return
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        made = repo.commit(files)
        url = f"{self.hub.url}/{name}/commit/{made}"
        self._json(200, {"commitOid": made, "commitUrl": url, "success": True})

    def validate(self, _: bytes) -> None:
        self._json(200, {"errors": [], "warnings": []})

    def whoami(self, _: bytes) -> None:
        if self._writable():
            self._json(200, {"name": "ada", "type": "user", "orgs": []})


_NAME = r"([\w.-]+/[\w.-]+)"
_ROUTES = (
    ("POST /api/repos/create", "create"),
    ("POST /api/validate-yaml", "validate"),
    ("GET /api/whoami-v2", "whoami"),
    (f"GET /api/models/{_NAME}/revision/(.+)", "info"),
    (f"GET /api/models/{_NAME}", "info"),
    (f"POST /api/models/{_NAME}/preupload/main", "preupload"),
    (f"POST /api/models/{_NAME}/commit/main", "commit"),
    (rf"POST /{_NAME}\.git/info/lfs/objects/batch", "batch"),
    (r"PUT /put/(\w+)", "put"),
    (f"(?:GET|HEAD) /{_NAME}/resolve/([^/]+)/(.+)", "resolve"),
)
