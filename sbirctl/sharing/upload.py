"""A run onto the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sbirctl.core.errors import MissingError, UsageError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.sharing.hub import Address, asking
from sbirctl.sharing.package import LIST, README, belongs

_OF_THE_HUB = (".gitattributes", README)


def upload(
    address: Address,
    texts: Mapping[str, bytes],
    places: Mapping[str, Path],
    *,
    run: str,
    public: bool = False,
    report: Reporter = SILENT,
) -> str:
    """Make a repository what `sharing.hub.pull` takes, in one commit; gives the commit.

    Args:
        address: the repository; it is made where it is not there.
        texts: small files by name.
        places: files by the names they get.
        run: its name, for the commit's message.
        public: a new repository is open to everybody, and one that is may be written to.

    Raises:
        UsageError: the repository holds something else, or is public and that was not said.
        MissingError, SbirctlError: see `sharing.hub.asking`.
    """
    with asking(address) as hub:
        api = hub.HfApi()
        api.create_repo(address.repo, private=not public, exist_ok=True)
        info = api.model_info(address.repo)
        there = [one.rfilename for one in info.siblings or ()]
        if LIST not in there and any(name not in _OF_THE_HUB for name in there):
            raise UsageError(
                f"{address} holds {len(there)} files, and no run of sbirctl.",
                "Name a new repository, or empty that one.",
            )
        if not (public or info.private):
            raise UsageError(
                f"{address} is public: everybody would see the run.",
                "Add --public if they may, or name another repository.",
            )
        if public and info.private:
            report.warn(f"{address} is private, and stays so: change it on the hub.")
        gone = [name for name in there if belongs(name) and name not in places]
        operations = [
            *(hub.CommitOperationAdd(name, data) for name, data in texts.items()),
            *(hub.CommitOperationAdd(name, str(path)) for name, path in places.items()),
            *(hub.CommitOperationDelete(name) for name in gone),
        ]
        made = api.create_commit(
            address.repo, operations, commit_message=f"Run {run}", parent_commit=info.sha
        )
        if not made.oid:
            raise MissingError(f"The hub names no commit of {address}.", "Look there.")
        return str(made.oid)
