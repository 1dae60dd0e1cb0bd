"""What this installation is: versions, devices, threads, home."""

from __future__ import annotations

import os
import platform

from sbirctl import __version__
from sbirctl.core.home import home
from sbirctl.core.kept import version_of

PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "open_clip_torch",
    "numpy",
    "h5py",
    "scikit-learn",
    "pillow",
    "safetensors",
    "typer",
)


def describe(devices: bool = False) -> dict[str, str]:
    """Facts about the installation, each a line of text; torch may be absent.

    Args:
        devices: ask torch what it can compute on, which imports it.
    """
    facts = {
        "sbirctl": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": str(os.cpu_count()),
    }
    for name in PACKAGES:
        facts[name] = version_of(name) or "not installed"
    if devices:
        facts |= _devices()
    facts["home"] = str(home())
    return facts


def _devices() -> dict[str, str]:
    try:
        import torch
    except ImportError:
        return {"devices": "none (torch is not installed)"}
    found = ["cpu"]
    found += [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return {"threads": str(torch.get_num_threads()), "devices": ", ".join(found)}
