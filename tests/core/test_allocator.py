import subprocess
import sys

import pytest

from sbirctl.core.device import keep_freed_memory

CODE = """
import resource, sys
from sbirctl.core.device import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
import numpy as np
np.ones(1 << 21)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(1 << 21)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="not glibc's allocator")
def test_large_blocks_are_reused_without_page_faults():
    def faults(how):
        command = [sys.executable, "-c", CODE, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("keep") < faults("leave") / 5
