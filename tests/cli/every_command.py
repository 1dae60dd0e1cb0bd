"""All commands and what they print, for tests that go over all of them."""

TINY = (
    "backbone=squeezenet1_1",
    "size=32",
    "dim=8",
    "mirror=false",
    "epochs=1",
    "batch=16",
)
SETTINGS = [word for text in TINY for word in ("--set", text)]


def leaves(command=None, words=""):
    """{words: click command} of every command that can be called, groups with a list too."""
    from sbirctl.cli import _app

    command = command or _app.build()
    found = {}
    for name, inner in command.commands.items():
        own = f"{words} {name}".strip()
        found[own] = inner
        if hasattr(inner, "commands"):
            found |= leaves(inner, own)
    return found


def paths_in(value):
    """Every path of a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("path", "paths", "folder", "picture") and inner:
                yield from [inner] if isinstance(inner, str) else inner
            else:
                yield from paths_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from paths_in(inner)
