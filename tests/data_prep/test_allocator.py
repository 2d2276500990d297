import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("setting", "n_bytes"), [("keep_freed_memory", 64_000_000), ("keep_freed_pictures", 1_000_000)]
)
def test_blocks_stay_with_the_process(setting, n_bytes):
    """With the setting a freed block is not unmapped: taking it again faults in almost no new pages."""
    code = (
        "import resource, numpy as np\n"
        "from data_prep import allocator\n"
        "import sys; known = getattr(allocator, sys.argv[2])() if sys.argv[1] == 'keep' else None\n"
        "np.ones(int(sys.argv[3]) // 8)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(5): np.ones(int(sys.argv[3]) // 8)\n"
        "print(known, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
    )
    def faults(how):
        command = [sys.executable, "-c", code, how, setting, str(n_bytes)]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        known, count = out.split()
        return known, int(count)

    known, kept = faults("keep")
    _, given_back = faults("plain")
    if known == "True":
        assert kept * 5 < given_back or given_back < 100


def test_a_huge_picture_is_given_back():
    code = (
        "import numpy as np\n"
        "from data_prep.allocator import keep_freed_pictures\n"
        "known = keep_freed_pictures()\n"
        "def pages(): return int(open('/proc/self/statm').read().split()[1])\n"
        "before = pages(); np.ones(50_000_000); print(known, (pages() - before) * 4096)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    known, left_bytes = done.stdout.split() if done.returncode == 0 else ("False", "0")  # no /proc: not Linux
    assert known == "False" or int(left_bytes) < 40_000_000
