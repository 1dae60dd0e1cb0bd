"""ONNX Runtime keeps no record of its use, which published builds of it do unless told not to."""

import os
import subprocess
import sys

CODE = """
import numpy as np
from sbirctl.inference import onnx
from sbirctl.inference.onnx import OnnxEncoder
OnnxEncoder(onnx.STARTER_FOLDER).embed(np.zeros((1, 128, 128, 1), np.uint8), "sketch")
"""


def test_nothing_is_written_to_the_users_home(tmp_path):
    kept = ("HOME", "XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY")
    env = {name: value for name, value in os.environ.items() if name not in kept}
    subprocess.run([sys.executable, "-c", CODE], env={**env, "HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []
