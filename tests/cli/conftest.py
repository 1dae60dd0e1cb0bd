"""A home with something of everything, for tests that go over all commands."""

from types import SimpleNamespace

import pytest
from PIL import Image, ImageDraw

from tests.cli import hub_server
from tests.cli.every_command import SETTINGS


@pytest.fixture(scope="session")
def furnished(tmp_path_factory):
    """A prepared data set, two embedded runs, a gallery and some files.

    Gives `root` (where commands are called), `home` and `runs`, the names of the two.
    """
    from sbirctl.cli import _app

    root = tmp_path_factory.mktemp("furnished")
    home = root / "home"
    photos = root / "photos"
    photos.mkdir()
    for number in range(4):
        image = Image.new("RGB", (40, 30), (60 * number, 90, 200 - 50 * number))
        ImageDraw.Draw(image).ellipse((number, 3, 30, 25), fill="white")
        image.save(photos / f"{number}.png")
    drawing = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(drawing).ellipse((5, 8, 58, 55), outline=0, width=3)
    drawing.save(root / "drawing.png")
    train = ["train", "baseline", "--dataset", "demo", "--weights", "none", *SETTINGS]
    commands = [
        ["prepare", "demo", "--set", "per_class=4", "--size", "32"],
        [*train, "--seed", "0"],
        [*train, "--seed", "1"],
        *(["embed", f"@{i}"] for i in (1, 2)),
        ["index", str(photos), "--gallery", "mine", "--model", "starter"],
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(home))
        patch.setenv("OMP_NUM_THREADS", "1")
        for words in commands:
            assert _app.run(words) == 0, words
    runs = sorted(path.name for path in (home / "runs").iterdir())
    return SimpleNamespace(root=root, home=home, runs=runs)


@pytest.fixture
def sbirctl(furnished, monkeypatch, capfd):
    """Calls a command in the furnished home: sbirctl(*words) gives (status, stdout, stderr)."""
    from sbirctl.cli import _app

    monkeypatch.setenv("SBIRCTL_HOME", str(furnished.home))
    monkeypatch.chdir(furnished.root)

    def call(*words):
        capfd.readouterr()
        status = _app.run([str(word) for word in words])
        return status, *capfd.readouterr()

    return call


@pytest.fixture
def hub(monkeypatch):
    """A hub on this machine, which the hub's library takes for the real one; logged in."""
    from huggingface_hub import constants

    with hub_server.serving() as server:
        template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", hub_server.TOKEN)
        yield server
