"""A server on a free port for tests, over galleries whose model looks at where the ink is."""

import http.client
import io
import json
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from PIL import Image, ImageDraw
from waiting import PATIENCE

from sbirctl.core.errors import MissingError
from sbirctl.core.files import digest_file, display_path
from sbirctl.datasets.readers.tree import File
from sbirctl.drawings.placement import Placement
from sbirctl.galleries.gallery import GalleryInfo
from sbirctl.galleries.searcher import EVERYTHING, FoundPhotos, Hit
from sbirctl.galleries.server import sockets
from sbirctl.galleries.server.app import application
from sbirctl.galleries.server.auth import access_control_for
from sbirctl.galleries.server.galleries import Galleries
from sbirctl.galleries.server.limits import Limits

SPOTS = {"left": (0, 0.5), "right": (1, 0.5), "top": (0.5, 0), "bottom": (0.5, 1)}


class InkSearcher:
    """Instead of a `Searcher`: the vector of a picture is its ink in 4 × 4 cells."""

    has_text = False
    placement = Placement()
    size = 64

    @property
    def names(self):
        return (self.info.name,)

    def __init__(self, name, paths, read=Image.open):
        self.paths = {digest_file(path): path for path in paths}
        self.info = GalleryInfo(name, len(self.paths), "ink", 16, "exact")
        self.vectors = {i: ink(read(path)) for i, path in self.paths.items()}
        self.embedder = SimpleNamespace(caution="")
        self.likely = None
        self.is_stale = False
        self.hold = None  # an Event that `embed` waits for
        self.begun = self.embedded = 0  # how many drawings

    def stale(self):
        return self.is_stale

    def embed(self, image, modality):
        self.begun += 1
        if self.hold is not None:
            assert self.hold.wait(PATIENCE)
        self.embedded += 1
        return ink(image)

    def find(self, vectors, k, wanted=EVERYTHING):
        everything = [self.search(vector, len(self.paths)) for vector in vectors]
        kept = [
            [h for h in row if wanted.keeps(h.id, h.score, self.files(h.id))] for row in everything
        ]
        return [FoundPhotos(row[:k], self.likely) for row in kept]

    def files(self, id):
        return [File(bytes(self.paths[id]), 0, 0)]

    def sub_folders(self):
        return sorted({bytes(path.parent) for path in self.paths.values()})

    def search(self, vector, k):
        scores = {i: float(own @ vector) for i, own in self.vectors.items()}
        best = sorted(scores, key=lambda i: (-scores[i], i))[:k]
        return [Hit(i, scores[i], display_path(self.paths[i])) for i in best]

    def vector(self, id):
        self.photo(id)
        return self.vectors[id]

    def photo(self, id):
        if id not in self.paths:
            raise MissingError("no such photo")
        return self.paths[id]


def ink(image):
    cells = 255 - np.asarray(image.convert("L").resize((4, 4), Image.Resampling.BOX), np.float32)
    vector = cells.ravel() + 1e-3
    return vector / np.linalg.norm(vector)


def drawn(spot, side=64):
    """A picture with a line at a side of the sheet."""
    image = Image.new("RGB", (side, side), "white")
    x, y = SPOTS[spot]
    line = [(0, y), (1, y)] if x == 0.5 else [(x, 0), (x, 1)]
    ends = [tuple(side * (0.12 + 0.76 * at) for at in end) for end in line]
    ImageDraw.Draw(image).line(ends, fill="black", width=side // 8)
    return image


def png(image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def make_photos(folder, names=None):
    """One photo a side of the sheet; {side: path}."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for spot in SPOTS:
        made[spot] = folder / (names or {}).get(spot, f"{spot}.png")
        drawn(spot).save(made[spot], "PNG")
    return made


class World:
    """A running server and what it shows."""

    def __init__(self, searchers, limits, access, port):
        self.searchers, self.limits, self.access, self.port = searchers, limits, access, port
        self.warnings = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, path, body=None, *, method=None, headers=None):
        """(status, headers, bytes) of one request."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            line.request(method or ("GET" if body is None else "POST"), path, body, headers or {})
            answer = line.getresponse()
            return SimpleNamespace(
                status=answer.status, headers=dict(answer.getheaders()), body=answer.read()
            )
        finally:
            line.close()

    def search(self, body, more="", **headers):
        return self.ask(f"/api/search?gallery=one{more}", body, headers=headers)

    def found(self, body, more=""):
        return json.loads(self.search(body, more).body)["photos"]


@contextmanager
def serving(searchers, *, token=None, host="127.0.0.1", chosen=(), **limits):
    """Run the real server over `searchers` ({name: InkSearcher}, which may change meanwhile)."""
    bounds = Limits(**limits)
    with sockets.listen("127.0.0.1", 0) as taken:
        access = access_control_for(host, host, token)
        galleries = Galleries(
            chosen,
            opener=lambda name: opened(searchers, name),
            lister=lambda: infos(searchers),
            patience=0,
        )
        world = World(searchers, bounds, access, taken.getsockname()[1])
        report = SimpleNamespace(warn=world.warnings.append)
        server = sockets.server(application(galleries, access, bounds, report), bounds)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            yield world
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
    assert not thread.is_alive()


def opened(searchers, name):
    if name not in searchers:
        raise MissingError(f"There is no gallery {name!r}.")
    return searchers[name]


def infos(searchers):
    return [one.info for one in searchers.values()]
