"""One build at a time in a folder: the system lets go of the lock when its process ends, however it ends."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from data_prep.errors import ConfigError

LOCK_NAME = "lock"


@contextmanager
def only_build_in(build_dir: Path) -> Iterator[None]:
    """Hold the lock of a build folder.

    The lock counts on one machine, and between machines where the file system passes flock on (NFS 4 does).

    Raises:
        ConfigError: another build that still runs has it; the message names its process and machine.
    """
    build_dir.mkdir(parents=True, exist_ok=True)
    with open(build_dir / LOCK_NAME, "a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise ConfigError(
                f"{build_dir}: another build works in this folder: {stream.read().strip() or 'it just started'}; "
                "wait for it, or end it and run the same command again"
            ) from None
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now():%Y-%m-%d %H:%M:%S}\n")
        stream.flush()
        yield
