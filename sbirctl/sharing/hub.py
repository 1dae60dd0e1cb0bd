"""Runs on the Hugging Face hub by their address, `hf://OWNER/NAME[@REVISION]`: pulling them."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

from sbirctl.core.errors import CorruptError, MissingError, SbirctlError, UsageError
from sbirctl.core.files import display_path, human_bytes, no_space, read_json, write_json
from sbirctl.core.home import receiving_dir
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.sharing.package import LIST, MOST_LIST_BYTES, README, PackagedFile, belongs
from sbirctl.sharing.received import latest_from, read_origin, take_in

SCHEME = "hf:"
_ADDRESS = re.compile(
    # a path library makes one slash of two
    r"hf:/{1,2}(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?",
    re.ASCII,
)
_MAIN = "main"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PATIENCE = 10.0  # seconds
_ASKED = "upstream.json"
_ASK_PATIENCE = 3.0
_ASK_AGAIN = timedelta(hours=1)
_LONGEST = 200  # characters of what the hub says


@dataclass(frozen=True)
class Address:
    """A repository of the hub, as OWNER/NAME, and a branch, tag or commit of it."""

    repo: str
    revision: str = _MAIN

    def __str__(self) -> str:
        return f"hf://{self.repo}" + (f"@{self.revision}" if self.revision != _MAIN else "")


def parse(text: str) -> Address | None:
    """The address that a text is, None for other texts.

    Raises:
        UsageError: it begins as one and is none.
    """
    if not text.startswith(SCHEME):
        return None
    found = _ADDRESS.fullmatch(text)
    if found is None or ".." in text:
        raise UsageError(
            f"{display_path(text)} is no address of the hub.", "Type hf://OWNER/NAME[@REVISION]."
        )
    return Address(found["repo"], found["revision"] or _MAIN)


def pull(address: Address, report: Reporter = SILENT) -> Path:
    """The folder of the run at an address, in this home, as it is on the hub now.

    Raises:
        MissingError: there is no such run, or no network.
        CorruptError: a file is not the one that the run's list says.
    """
    with asking(address) as hub:
        info = hub.HfApi().model_info(address.repo, revision=address.revision, timeout=_PATIENCE)
        commit = str(info.sha)
        names = [one.rfilename for one in info.siblings or ()]
    if LIST not in names:
        raise MissingError(
            f"{address} holds no run of sbirctl: {LIST} is not there.",
            "What `sbirctl models push` makes can be pulled.",
        )

    def fetch(name: str, entry: PackagedFile, folder: Path) -> None:
        if name not in names:
            raise CorruptError(f"{address} holds no {name}, which it lists.", "Ask who made it.")
        with asking(address) as hub:
            url = hub.hf_hub_url(address.repo, name, revision=commit)
            size = hub.get_hf_file_metadata(url, timeout=_PATIENCE).size
            if size is None or size > entry.bytes:
                raise CorruptError(
                    f"{name} of {address} has {human_bytes(size or 0)}, not "
                    f"{human_bytes(entry.bytes)} as it should.",
                    "Nothing of it was kept. Ask who made it.",
                )
            try:
                hub.hf_hub_download(address.repo, name, revision=commit, local_dir=folder)
            except Exception as error:
                if full := no_space(error, folder / name):
                    raise full from error
                raise

    receiving_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=receiving_dir()) as place:
        fetch(LIST, PackagedFile(MOST_LIST_BYTES, ""), Path(place))
        folder = take_in(Path(place) / LIST, str(address), commit, fetch, report)
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the library's notes
    (folder / _ASKED).unlink(missing_ok=True)
    left = [name for name in names if not (belongs(name) or name in (LIST, README))]
    if left := [name for name in left if name != ".gitattributes"]:
        report.note(f"left on the hub: {', '.join(map(display_path, left[:5]))}")
    return folder


def pulled(address: Address, report: Reporter = SILENT) -> Path | None:
    """The run that was pulled last from an address; None where none was.

    A branch that names another commit by now is said; the hub is asked once an hour at most, and
    not at all for a commit or where it is told to be offline.
    """
    folder = latest_from(str(address))
    if folder is None:
        return None
    origin = read_origin(folder)
    assert origin is not None
    now = _commit_now(address, folder)
    if now and now != origin.commit:
        report.warn(
            f"{address} is commit {now[:12]} by now. {origin.commit[:12]}, which was pulled, is "
            f"used until you type `sbirctl models pull {address}`."
        )
    return folder


def _commit_now(address: Address, folder: Path) -> str:
    """What the revision names on the hub, as it was last heard; "" where it never was."""
    if _COMMIT.fullmatch(address.revision):
        return ""
    now, commit = datetime.now(UTC), ""
    try:
        known = read_json(folder / _ASKED)
        commit = str(known["commit"])
        if now - datetime.fromisoformat(known["asked"]) < _ASK_AGAIN:
            return commit
    except (SbirctlError, LookupError, TypeError, ValueError):
        pass  # never asked, or a damaged answer
    try:
        with asking(address) as hub:
            if hub.constants.HF_HUB_OFFLINE:  # not asked: the first call that may does
                return commit
            api = hub.HfApi()
            info = api.model_info(address.repo, revision=address.revision, timeout=_ASK_PATIENCE)
            commit = str(info.sha)
    except SbirctlError:
        pass  # what was heard before still holds
    with suppress(SbirctlError):  # a home that cannot be written: asked again next time
        write_json(folder / _ASKED, {"commit": commit, "asked": now.isoformat()})
    return commit


@contextmanager
def asking(address: Address) -> Iterator[ModuleType]:
    """huggingface_hub, whose errors become ours.

    Raises:
        MissingError: the library, the repository, the revision, a file or the network is missing.
        UsageError: the hub has no such names.
        SbirctlError: the hub refused.
    """
    try:
        import huggingface_hub as hub
        from huggingface_hub import errors
        from huggingface_hub.utils import OfflineModeIsEnabled, disable_progress_bars
    except ImportError as error:
        raise MissingError(
            "The hub needs the package huggingface_hub, which is not here.",
            "Type `pip install huggingface_hub`, or get the run as a file: `sbirctl runs unpack`.",
        ) from error
    disable_progress_bars()
    login = "Where it is private, type `hf auth login` first, or set HF_TOKEN."
    try:
        yield hub
    except SbirctlError:
        raise
    except errors.RevisionNotFoundError as error:
        raise MissingError(
            f"hf://{address.repo} has no revision {address.revision!r}.", "Leave it out for main."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise MissingError(f"The hub shows no model {address.repo}.", login) from error
    except errors.HFValidationError as error:
        raise UsageError(
            f"{address.repo} is no name that the hub takes.",
            "It has at most 96 signs, no --, and does not end with -, . or .git.",
        ) from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status == 400:
            raise _not_taken(address, error.server_message or "it says no reason.") from error
        if status in (409, 412):
            raise SbirctlError(
                f"{address} was changed meanwhile: nothing was sent over it.",
                "Look at what is there now, then type the same again.",
            ) from error
        if status in (401, 403):
            raise SbirctlError(f"The hub refuses {address}: {status}.", login) from error
        raise _unreachable(address, f"the hub answers {status}") from error
    except OfflineModeIsEnabled as error:
        raise _unreachable(address, "HF_HUB_OFFLINE is set.") from error
    except Exception as error:  # each version raises those of another HTTP library
        if isinstance(error, OSError) and error.filename is not None:  # of the disk
            raise
        if isinstance(error.__cause__, errors.BadRequestError):  # the metadata of the page
            raise _not_taken(address, str(error)) from error
        lines = str(error).strip().splitlines()
        raise _unreachable(address, lines[0][:80] if lines else type(error).__name__) from error


def _not_taken(address: Address, said: str) -> SbirctlError:
    shown = display_path(" ".join(said.split()))[:_LONGEST]
    return SbirctlError(
        f"The hub does not take what it is sent for {address}: {shown}",
        "Mend what it says; a --licence is one that it knows, or other.",
    )


def _unreachable(address: Address, reason: str) -> MissingError:
    return MissingError(
        f"{address} cannot be reached: {reason}",
        f"With a network type `sbirctl models pull {address}`: what was pulled once needs none.",
    )
