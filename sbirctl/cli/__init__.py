"""One file a command: read options, call one stage, print. No logic, no torch at import time."""
