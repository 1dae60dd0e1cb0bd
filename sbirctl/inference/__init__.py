"""Images and texts to vectors without torch: exported models and what reads them."""

import os

# Published builds of ONNX Runtime collect facts about its use and send them to their maker, unless
# they are told not to before they are imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

STARTER = "starter"  # the name of the exported model that comes with the program
