import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.build_lock import LOCK_NAME, only_build_in
from data_prep.errors import ConfigError

REPOSITORY = Path(__file__).parents[2]
HOLDS = "import sys; from pathlib import Path; from data_prep.build_lock import only_build_in\n" \
        "with only_build_in(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"  # fmt: skip


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_build_names_the_first(holder, tmp_path):
    wanted = rf"another build.*process {holder.pid} on {socket.gethostname()}, since 20"
    with pytest.raises(ConfigError, match=wanted), only_build_in(tmp_path):
        raise AssertionError("two builds at once")
    assert str(holder.pid) in (tmp_path / LOCK_NAME).read_text()


def test_a_killed_build_does_not_block(holder, tmp_path):
    holder.kill()
    holder.wait()
    with only_build_in(tmp_path):
        assert f"process {os.getpid()} " in (tmp_path / LOCK_NAME).read_text()
        assert str(holder.pid) not in (tmp_path / LOCK_NAME).read_text().replace(str(os.getpid()), "")


def test_let_go_at_the_end_and_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), only_build_in(tmp_path / "new"):
        raise ZeroDivisionError
    with only_build_in(tmp_path / "new"):
        pass
