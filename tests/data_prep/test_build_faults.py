"""The real command, killed and starved at random moments: what is left goes on to the same bytes."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

REPOSITORY = Path(__file__).parents[2]
N_MOMENTS = 20
MIXTURE = {
    "name": "small",
    "seed": 1,
    "image_px": 48,
    "samples_per_shard": 6,
    "sources": [
        {"source": "toys", "reader": "class_folders", "domain": "toys", "split": "by_class", "val_fraction": 0.2,
         "test_fraction": 0.2, "min_per_class": 2, "cap_per_class": 8},
    ],
}  # fmt: skip


def draw(path, rng):
    path.parent.mkdir(parents=True, exist_ok=True)
    small = Image.fromarray(rng.integers(0, 255, (15, 20, 3), dtype=np.uint8))
    small.resize((200, 150), Image.Resampling.BICUBIC).save(path, quality=90)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """(folder with raw/ and small.yaml, {path: sha256} of a build that nothing disturbed)."""
    root = tmp_path_factory.mktemp("faults")
    rng = np.random.default_rng(0)
    for toy in range(14):
        for n in range(9):
            draw(root / "raw" / "toys" / f"toy{toy}" / f"{n}.jpg", rng)
    (root / "raw" / "toys" / "toy3" / "0.jpg").write_bytes(b"<html>not found</html>")
    shutil.copy(root / "raw" / "toys" / "toy4" / "1.jpg", root / "raw" / "toys" / "toy4" / "copy.jpg")
    (root / "small.yaml").write_text(yaml.safe_dump(MIXTURE))
    subprocess.run(command(root, root / "whole"), cwd=REPOSITORY, check=True, capture_output=True)
    return root, contents(root / "whole" / "small")


def command(root, shards_root, workers=2):
    return [sys.executable, "-m", "data_prep.build", str(root / "small.yaml"), "--raw-root", str(root / "raw"),
            "--shards-root", str(shards_root), "--workers", str(workers)]  # fmt: skip


def contents(folder):
    """{path: sha256} of everything a build leaves, without what only a resumed build needs."""
    files = [path for path in folder.rglob("*") if path.is_file() and "build" not in path.relative_to(folder).parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def start(root, shards_root):
    return subprocess.Popen(
        command(root, shards_root), cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


def wait_for_files(process, folder, n_files, deadline_s=120):
    """Until so many files were seen below `folder`, also under temporary names, or the process has ended."""
    seen, deadline = set(), time.monotonic() + deadline_s
    while len(seen) < n_files and process.poll() is None and time.monotonic() < deadline:
        seen.update(path for path, _, names in os.walk(folder) for path in (f"{path}/{name}" for name in names))
        time.sleep(0.001)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(N_MOMENTS))
def test_a_killed_build_goes_on_to_the_same_bytes(seed, world, tmp_path):
    kill_and_resume(*world, tmp_path, random.Random(seed))


def kill_and_resume(root, whole, shards_root, rng):
    """A moment is a number of files and a wait: spread over the whole work, however fast the machine is."""
    process = start(root, shards_root)
    wait_for_files(process, shards_root, rng.randint(0, 2 * len(whole)))
    time.sleep(rng.uniform(0, 0.05))
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    resumed = subprocess.run(command(root, shards_root), cwd=REPOSITORY, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert contents(shards_root / "small") == whole
    assert not list(shards_root.rglob("*.unfinished"))


# A disk of so many kB that nobody else sees: build, give it more room, build again, hash what is there.
ON_A_SMALL_DISK = """
mount -t tmpfs -o size={n_kb}k tmpfs {disk} || exit 90
cd {repository}
{command}; echo "status $?"
mount -o remount,size=100m {disk}
{command} > /dev/null 2>&1; echo "status $?"
cp -r {disk}/small {out}
"""


def can_mount():
    probe = subprocess.run(["unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"], capture_output=True)
    return probe.returncode == 0


needs_mount = pytest.mark.skipif(
    shutil.which("unshare") is None or not can_mount(), reason="this system lets a user mount nothing"
)


@needs_mount
def test_a_full_disk_is_one_clean_error_and_more_room_is_enough_once(world, tmp_path):
    fill_and_resume(*world, tmp_path, random.Random(0))


@needs_mount
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, N_MOMENTS + 1))
def test_a_full_disk_is_one_clean_error_and_more_room_is_enough(seed, world, tmp_path):
    fill_and_resume(*world, tmp_path, random.Random(seed))


def fill_and_resume(root, whole, tmp_path, rng):
    disk = tmp_path / "disk"
    disk.mkdir()
    n_bytes = sum(path.stat().st_size for path in (root / "whole" / "small").glob("*/*.tar"))
    script = ON_A_SMALL_DISK.format(
        n_kb=rng.randint(16, n_bytes // 1024), disk=disk, repository=REPOSITORY, out=tmp_path / "out",
        command=" ".join(command(root, disk)),
    )  # fmt: skip
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    assert done.stdout.split("status ")[1:] == ["1\n", "0\n"], done
    error = done.stderr[done.stderr.index("error:") :]
    assert "Traceback" not in done.stderr and done.stderr.count("error:") == 1
    assert "No space left on device" in error and str(disk / "small") in error
    assert contents(tmp_path / "out") == whole
    assert not list((tmp_path / "out").rglob("*.unfinished"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_gives_the_same_bytes(workers, world, tmp_path):
    root, whole = world
    subprocess.run(command(root, tmp_path, workers), cwd=REPOSITORY, check=True, capture_output=True)
    assert contents(tmp_path / "small") == whole
