"""Completion as bash, zsh and fish ask for it, without building the program.

Typer's scripts ask by environment variables; its own answer builds every command with pydantic,
which takes longer than a person waits. Here one command's file is imported and its signature read.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal, get_args, get_origin

VARIABLE = "_SBIRCTL_COMPLETE"
_FEW = 4
_AT = ("-m", "--metric", "--min")  # options whose values have an @, at which bash parts words
_ZSH_START = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }"
_CHOICES = re.compile(r"\[?[a-z][a-z-]*(\|[a-z][a-z-]*)+\]?")


def asked() -> bool:
    """Whether a shell asks for names."""
    return os.environ.get(VARIABLE, "").startswith("complete_")


def begin_source() -> None:
    """Print what Typer's script for zsh lacks: its completion may not be started yet."""
    if os.environ.get(VARIABLE) == "source_zsh":
        print(_ZSH_START, flush=True)


def answer() -> int:
    """Print what the shell asks for; gives the exit status."""
    shell = os.environ[VARIABLE].removeprefix("complete_")
    words, typed = _line(shell)
    found = [(name, text) for name, text in complete(words, typed) if name.startswith(typed)]
    found = list(dict(found).items())
    if shell == "fish":
        if os.environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
            return 0 if found else 1
        lines = [f"{name}\t{_flat(text)}" if text else name for name, text in found]
    elif shell == "zsh":
        lines = [f"_arguments '*: :(({_zsh(found)}))'" if found else "_files"]
    else:
        cut = max(map(typed.rfind, "=:@")) + 1  # bash completes behind these
        lines = [name[cut:] for name, _ in found]
    if lines:
        print("\n".join(lines))
    return 0


def complete(words: Sequence[str], typed: str) -> list[tuple[str, str]]:
    """Names that may stand in a place of a command line, with a word about each.

    Args:
        words: those before it, without the program's name.
        typed: what is typed of it; names that begin otherwise may be among the answer.
    """
    rest = list(words)
    command = _Command.program()
    while not command.function:
        inner = command.inner()
        while rest and rest[0].startswith("-"):
            rest.pop(0)
        if not rest or rest[0] not in inner:
            own = [] if rest else [(name, one()) for name, one in inner.items()]
            return own if not typed.startswith("-") else command.options()
        command = command.enter(rest.pop(0))
        if command.group and (not rest or rest[0] in command.inner() or rest[0].startswith("-")):
            continue
    return command.complete(rest, typed)


@dataclass(frozen=True)
class _Parameter:
    """An option or argument: how it is called, and what it takes."""

    name: str
    flags: tuple[str, ...]
    takes: bool
    many: bool
    help: str
    annotation: Any
    metavar: str
    names: Callable[..., Any] | None
    numbers: tuple[int, ...] = ()

    def values(self, params: dict[str, Any], typed: str) -> list[tuple[str, str]]:
        if self.names is not None:
            asks = {"context": SimpleNamespace(params=params), "incomplete": typed}
            found = self.names(
                **{name: asks[name] for name in inspect.signature(self.names).parameters}
            )
            return [(one, "") if isinstance(one, str) else one for one in found]
        literal = _literal(self.annotation)
        if not literal and _CHOICES.fullmatch(self.metavar):
            literal = tuple(self.metavar.strip("[]").split("|"))
        return [(str(one), "") for one in literal or self.numbers]


@dataclass(frozen=True)
class _Command:
    """The program, a group, or a command (it has a function)."""

    group: Any = None
    function: Callable[..., Any] | None = None

    @classmethod
    def program(cls) -> _Command:
        return cls()

    def inner(self) -> dict[str, Callable[[], str]]:
        """Names of what is inside, and what tells about each."""
        if self.group is None:
            import sbirctl.cli

            names = [m.name for m in pkgutil.iter_modules(sbirctl.cli.__path__)]
            return {n.replace("_", "-"): _about(n) for n in names if not n.startswith("_")}
        return {
            (one.name or one.callback.__name__.replace("_", "-")): _first_line(one.callback)
            for one in self.group.registered_commands
        }

    def enter(self, name: str) -> _Command:
        """What is inside under that name."""
        if self.group is None:
            module = importlib.import_module(f"sbirctl.cli.{name.replace('-', '_')}")
            if hasattr(module, "app"):
                return _Command(group=module.app)
            return _Command(function=module.command)
        for one in self.group.registered_commands:
            if (one.name or one.callback.__name__.replace("_", "-")) == name:
                return _Command(function=one.callback)
        raise LookupError(name)

    def options(self) -> list[tuple[str, str]]:
        """The options of the program or a group."""
        if self.group is None:
            from sbirctl.cli._app import _options

            return _flags_of(_parameters(_options))
        callback = self.group.registered_callback.callback
        return _flags_of(_parameters(callback) + _shared(callback))

    def complete(self, rest: Sequence[str], typed: str) -> list[tuple[str, str]]:
        """Names for the place behind `rest`."""
        assert self.function is not None
        known = _parameters(self.function) + _shared(self.function)
        options = {flag: one for one in known for flag in one.flags}
        places = [one for one in known if not one.flags]
        params: dict[str, Any] = {one.name: "" for one in known}
        waiting: _Parameter | None = None
        ended = False
        for word in rest:
            if waiting is not None:
                params[waiting.name], waiting = word, None
            elif word == "--" and not ended:
                ended = True
            elif word.startswith("-") and len(word) > 1 and not ended:
                flag, sign, value = word.partition("=")
                one = options.get(flag)
                if one is not None and one.takes:
                    if sign:
                        params[one.name] = value
                    else:
                        waiting = one
            elif places:
                params[places[0].name] = word
                if not places[0].many:
                    places.pop(0)
        if waiting is not None:
            return waiting.values(params, typed)
        flag, sign, value = typed.partition("=")
        if typed.startswith("--") and sign and flag in options:
            return [(f"{flag}={n}", t) for n, t in options[flag].values(params, value)]
        if typed.startswith("-") and not ended:
            return _flags_of(known)
        return places[0].values(params, typed) if places else []


def _line(shell: str) -> tuple[list[str], str]:
    """The words before the cursor without the program's, and what is typed of the next."""
    if shell == "bash":
        words = _split(os.environ.get("COMP_WORDS", ""))
        count = int(os.environ.get("COMP_CWORD", len(words)))
        words = [*words[: count + 1], *[""] * (count + 1 - len(words))][: count + 1]
        words = _joined(words)
        return words[1:-1], words[-1] if len(words) > 1 else ""
    text = os.environ.get("_TYPER_COMPLETE_ARGS", "")
    words = _split(text)[1:]
    if words and not text.endswith(" "):
        return words[:-1], words[-1]
    return words, ""


def _split(text: str) -> list[str]:
    """Words of a line; an open quote ends with the line."""
    for closing in ("", "'", '"'):
        try:
            return shlex.split(text + closing)
        except ValueError:
            continue
    return text.split()


def _joined(words: Sequence[str]) -> list[str]:
    """Words that bash broke at =, : and @ put together again."""
    joined: list[str] = []
    for word in words:
        breaks = word in ("=", ":") or (word == "@" and len(joined) > 1 and joined[-2] in _AT)
        if len(joined) > 1 and (breaks or joined[-1].endswith(("=", ":", "@"))):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _parameters(function: Callable[..., Any]) -> list[_Parameter]:
    from typer.models import ArgumentInfo
    from typer.utils import get_params_from_function

    found = []
    for name, meta in get_params_from_function(function).items():
        info = meta.default
        declared = getattr(info, "param_decls", None) or ()
        if name == "context":
            continue
        flags: tuple[str, ...] = ()
        if not isinstance(info, ArgumentInfo):
            written = [d for d in declared if d.startswith("-")] or [f"--{name.replace('_', '-')}"]
            flags = tuple(flag for one in written for flag in one.split("/"))
        found.append(
            _Parameter(
                name,
                flags,
                takes=not flags or not _is_flag(meta.annotation),
                many=_is_list(meta.annotation),
                help=getattr(info, "help", "") or "",
                annotation=meta.annotation,
                metavar=getattr(info, "metavar", "") or "",
                names=getattr(info, "autocompletion", None),
                numbers=_few(getattr(info, "min", None), getattr(info, "max", None)),
            )
        )
    return found


def _shared(function: Callable[..., Any]) -> list[_Parameter]:
    from sbirctl.cli._everywhere import _shared as declared
    from sbirctl.cli._everywhere import names_of

    wanted = names_of(function)
    return [one for one in _parameters(declared) if one.name in wanted]


def _flags_of(known: Sequence[_Parameter]) -> list[tuple[str, str]]:
    long = [(flag, one.help) for one in known for flag in one.flags if flag.startswith("--")]
    return [*long, ("--help", "Show the options.")]


def _about(module: str) -> Callable[[], str]:
    """The summary of a command's file, read without importing it."""

    def read() -> str:
        import sbirctl.cli

        path = os.path.join(sbirctl.cli.__path__[0], f"{module}.py")
        with open(path, encoding="utf-8") as stream:
            return stream.readline().strip().strip('"').partition(": ")[2].rstrip(".")

    return read


def _first_line(function: Callable[..., Any]) -> Callable[[], str]:
    return lambda: (function.__doc__ or "").strip().partition("\n")[0]


def _is_flag(annotation: Any) -> bool:
    return annotation is bool or bool in get_args(annotation)


def _is_list(annotation: Any) -> bool:
    return any(get_origin(one) is list for one in (annotation, *get_args(annotation)))


def _few(low: float | None, high: float | None) -> tuple[int, ...]:
    """The whole numbers of a small range."""
    if low is None or high is None or high - low > _FEW:
        return ()
    return tuple(range(int(low), int(high) + 1))


def _literal(annotation: Any) -> Iterator[Any] | tuple[Any, ...]:
    for one in (annotation, *get_args(annotation)):
        if get_origin(one) is Literal:
            return get_args(one)
    return ()


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _zsh(found: Sequence[tuple[str, str]]) -> str:
    def quoted(text: str) -> str:
        text = _flat(text).replace('"', '""').replace("'", "''").replace("$", "\\$")
        return text.replace("`", "\\`").replace(":", r"\\:")

    return "\n".join(
        f'"{quoted(name)}":"{quoted(text)}"' if text else f'"{quoted(name)}"'
        for name, text in found
    )
