"""How tests wait: for what they look at, never for a time; only one that fails waits to the end."""

import time

PATIENCE = 120  # seconds; the machine may be slow and busy


def wait_for(holds):
    """Wait until `holds()`."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
