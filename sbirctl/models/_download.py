"""What `--weights` may say, and fetching published ones into the caches of torch and of the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sbirctl.core.errors import MissingError
from sbirctl.core.files import display_path

PRETRAINED, RANDOM = "pretrained", "none"
_PROBE_SECONDS = 10


@dataclass(frozen=True)
class Published:
    """Where a publisher keeps a weights file.

    Attributes:
        name: what a result calls them ("torchvision resnet50 IMAGENET1K_V1").
        url: address of the file, "" where it is on the hub.
        repo: repository on the Hugging Face hub.
        files: names in that repository, the first that exists is taken.
    """

    name: str
    url: str = ""
    repo: str = ""
    files: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.url.rpartition("/")[2] or self.files[0]

    @property
    def place(self) -> str:
        """Where it can be had, for people."""
        return self.url.rpartition("/")[0] or f"https://huggingface.co/{self.repo}"


def missing_file(weights: str | Path) -> MissingError:
    """What to say where `weights` is no file."""
    return MissingError(f"There is no weights file {display_path(weights)}.", "Check --weights.")


def fetch(published: Published) -> Path:
    """Path of the file in its library's cache, downloaded where it is not there yet.

    Raises:
        MissingError: it is not there and cannot be downloaded.
    """
    try:
        return _from_url(published.url) if published.url else _from_hub(published)
    except Exception as error:  # urllib, httpx and the hub each have errors of their own
        lines = str(getattr(error, "reason", "") or error).strip().splitlines()
        reason = lines[0][:100] if lines else type(error).__name__
        raise MissingError(
            f"The weights {published.name} ({published.file}) are not on this machine"
            f" and cannot be downloaded: {reason}",
            f"Get {published.file} from {published.place} and add --weights FILE"
            " (or --weights none for random values).",
        ) from error


def _from_url(url: str) -> Path:
    import torch

    name = url.rpartition("/")[2]
    target = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        found = torch.hub.HASH_REGEX.search(name)
        prefix = found.group(1) if found else None
        torch.hub.download_url_to_file(url, str(target), prefix, progress=False)
    return target


def _from_hub(published: Published) -> Path:
    from huggingface_hub import (
        get_hf_file_metadata,
        hf_hub_download,
        hf_hub_url,
        try_to_load_from_cache,
    )
    from huggingface_hub.errors import EntryNotFoundError

    for file in published.files:
        cached = try_to_load_from_cache(published.repo, file)
        if isinstance(cached, str):
            return Path(cached)
    problem: Exception | None = None
    for file in published.files:
        try:
            # hf_hub_download repeats for half a minute before it says that there is no network.
            get_hf_file_metadata(hf_hub_url(published.repo, file), timeout=_PROBE_SECONDS)
            return Path(hf_hub_download(published.repo, file))
        except EntryNotFoundError as error:
            problem = error
    assert problem is not None
    raise problem
