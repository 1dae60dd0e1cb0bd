"""What a call has to say, as Python says it: a warning that can be filtered, never a print."""

from __future__ import annotations

import warnings

from sbirctl.core.progress import Reporter


class SbirctlWarning(UserWarning):
    """Something that may make a result other than expected."""


class PythonReporter(Reporter):
    """Warnings through `warnings`; notes and bars are for the command line."""

    def warn(self, message: str) -> None:
        """See `core.progress.Reporter`."""
        warnings.warn(message, SbirctlWarning, stacklevel=2)
