"""One file over HTTP(S), whole and checked, or not at all.

Bytes go to `<name>.part`, with `<name>.part.json` beside it saying which object they belong to. A download that was
interrupted goes on from there by a Range request, but only onto bytes of the same object: the server's ETag or
date must be the same (If-Range), or a checksum must be known that decides at the end. What is complete and has the
right size and checksum is synced and renamed; nothing else ever has the final name.
"""

import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from data_prep.part_file import Expected, PartFile
from data_prep.progress import bytes_bar
from data_prep.remote import (
    ADVICE_BY_STATUS,
    PASSING_STATUSES,
    Passing,
    Remote,
    Response,
    content_length,
    content_range,
    is_web_page,
    open_remote,
    raw_blocks,
    retry_after_s,
    validator_of,
)

SPARE_BYTES = 200_000_000  # left free on the disk


class DownloadError(Exception):
    """A file could not be fetched whole; the message says from where, what was got and what to do."""


@dataclass(frozen=True)
class Patience:
    """How long to go on.

    Attributes:
        max_tries: tries in a row that bring no new byte.
        first_wait_s: wait before the second try; doubles each time, a quarter more or less by chance.
        longest_wait_s: no wait of ours is longer.
        longest_asked_s: a Retry-After above this ends the download with a message.
    """

    max_tries: int = 7
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    longest_asked_s: float = 900.0


def download(
    remote: Remote, path: Path, expected: Expected | None = None, patience: Patience | None = None, room: float = 1.0
) -> str:
    """Fetch a file to `path`; its sha256.

    Args:
        expected: size and checksum, where they are published.
        patience: how often and how long to try.
        room: free disk space asked for, as a multiple of the file's size (2 for an archive that will be unpacked).

    Raises:
        DownloadError: refused, kept breaking off, a wrong size or checksum, a web page in place of the file, or
            no room on the disk. Except after a wrong checksum, what has arrived is kept for the next call.
    """
    return _Download(remote, Path(path), expected or Expected(), patience or Patience(), room).run()


class _Download:
    """The state of one download."""

    def __init__(self, remote: Remote, path: Path, expected: Expected, patience: Patience, room: float) -> None:
        self.remote, self.path, self.patience, self.room = remote, path, patience, room
        self.part = PartFile(path, remote.name, expected)

    def run(self) -> str:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.part.recall()
        best, idle_tries = self.part.arrived(), 0
        while True:
            try:
                self._try_once()
                break
            except Passing as trouble:
                arrived = self.part.arrived()
                idle_tries = 0 if arrived > best else idle_tries + 1
                best = max(best, arrived)
                if idle_tries >= self.patience.max_tries:
                    raise DownloadError(self._gave_up(trouble)) from None
                time.sleep(self._wait_s(idle_tries, trouble))
        return self._finish()

    def _try_once(self) -> None:
        """One request and all that it brings; returns when the file is complete."""
        arrived = self.part.arrived()
        if self.part.total is not None and arrived == self.part.total:
            return
        headers = {}
        if arrived:
            headers["Range"] = f"bytes={arrived}-"
            if self.part.validator:
                headers["If-Range"] = self.part.validator
        with open_remote(self.remote, headers) as response:
            start = self._accept(response, arrived)
            self._check_room(start)
            with bytes_bar(self.part.total, start, self.path.name) as bar, open(self.part.path, "ab") as out:
                out.truncate(start)
                for block in raw_blocks(response):
                    out.write(block)
                    bar.update(len(block))
                    if self.part.total is not None and out.tell() > self.part.total:
                        raise self._wrong_size(out.tell(), "and goes on")
        if self.part.total is not None and self.part.arrived() < self.part.total:
            raise Passing(f"the connection ended at {self.part.arrived():,} of {self.part.total:,} bytes")

    def _accept(self, response: Response, arrived: int) -> int:
        """Check status and headers; the position at which the response's bytes belong."""
        if response.status_code == 416 and arrived:  # it has nothing at that position
            self.part.forget()
            raise Passing(f"it has no bytes after {arrived:,}")
        if response.status_code in PASSING_STATUSES:
            raise Passing(f"status {response.status_code}", retry_after_s(response))
        if response.status_code not in (200, 206):
            raise DownloadError(self._refusal(response.status_code))
        if is_web_page(response) and self.path.suffix not in (".html", ".htm"):
            raise DownloadError(f"{self.remote.name}: a web page came in place of {self.path.name}; look at it there")
        start, total = 0, content_length(response)
        if response.status_code == 206:
            start, total = content_range(response)
            other_size = self.part.total is not None and total not in (None, self.part.total)
            if start != arrived or other_size or self.part.validator not in (None, validator_of(response)):
                self.part.forget()
                raise Passing(f"asked for bytes from {arrived:,}, got others ({response.headers.get('Content-Range')})")
        self._note(response, total)
        return start

    def _note(self, response: Response, total: int | None) -> None:
        size_bytes = self.part.expected.size_bytes
        if size_bytes is not None and total not in (None, size_bytes):
            raise self._wrong_size(total, "announced")
        if total is None:  # not said: a part of it keeps what is known, the whole may be of any size
            total = size_bytes if response.status_code == 200 else self.part.total
        self.part.remember(total, validator_of(response))

    def _check_room(self, start: int) -> None:
        if self.part.total is None:
            return
        needed = int(self.part.total * self.room) - start + SPARE_BYTES
        free = shutil.disk_usage(self.path.parent).free
        if free < needed:
            raise DownloadError(
                f"{self.path.parent}: {needed / 1e9:.1f} GB of disk space needed for {self.path.name}"
                f"{' and its content' if self.room > 1 else ''}, {free / 1e9:.1f} GB free"
            )

    def _finish(self) -> str:
        """Checksum, rename; the file's sha256."""
        digests = self.part.digests()
        algorithm, wanted = self.part.expected.checksum or ("sha256", digests["sha256"])
        if digests[algorithm] != wanted:
            self.part.forget()
            raise DownloadError(
                f"{self.remote.name}: {algorithm} of what came is {digests[algorithm]}, expected {wanted}; the copy "
                "was deleted. Try again; if it stays so, the file there has changed"
            )
        self.part.finish()
        return digests["sha256"]

    def _wait_s(self, idle_tries: int, trouble: Passing) -> float:
        asked = trouble.wait_s
        if asked is not None and asked > self.patience.longest_asked_s:
            raise DownloadError(
                f"{self.remote.name}: the server asks to come back in {asked / 60:.0f} minutes; run the command "
                "again then, it goes on where it stopped"
            )
        own = self.patience.first_wait_s * 2 ** max(idle_tries - 1, 0) * random.uniform(0.75, 1.25)
        return max(asked or 0.0, min(own, self.patience.longest_wait_s))

    def _gave_up(self, trouble: Passing) -> str:
        total = "an unknown number of" if self.part.total is None else f"{self.part.total:,}"
        return (
            f"{self.remote.name}: {trouble}; gave up after {self.patience.max_tries} tries that brought "
            f"nothing new, at {self.part.arrived():,} of {total} bytes; run the command again to go on"
        )

    def _refusal(self, status: int) -> str:
        advice = self.remote.advice_by_status.get(status) or ADVICE_BY_STATUS.get(status, "that is no file")
        return f"{self.remote.name}: status {status}: {advice}"

    def _wrong_size(self, got: int | None, what: str) -> DownloadError:
        wanted = self.part.total
        self.part.forget()
        return DownloadError(f"{self.remote.name}: expected {wanted:,} bytes, got {got:,} {what}; nothing was kept")
