"""One file over HTTP(S), whole and checked, or not at all.

Bytes go to `<name>.part`, with `<name>.part.json` beside it saying which object they belong to. A download that was
interrupted goes on from there by a Range request, but only onto bytes of the same object: the server's ETag or
date must be the same (If-Range), or a checksum must be known that decides at the end. What is complete and has the
right size and checksum is synced and renamed; nothing else ever has the final name.
"""

import hashlib
import json
import os
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from data_prep.files import writing_atomically
from data_prep.progress import bytes_bar
from data_prep.remote import (
    ADVICE_BY_STATUS,
    BLOCK_BYTES,
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


@dataclass(frozen=True)
class Expected:
    """What is known of a file beforehand; None where it is not known."""

    size_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def checksum(self) -> tuple[str, str] | None:
        """(algorithm, hex digest) of the stronger checksum known."""
        if self.sha256:
            return "sha256", self.sha256.lower()
        return ("md5", self.md5.lower()) if self.md5 else None


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
    """The state of one download: what has arrived, and which object it is part of."""

    def __init__(self, remote: Remote, path: Path, expected: Expected, patience: Patience, room: float) -> None:
        self.remote, self.path, self.expected, self.patience, self.room = remote, path, expected, patience, room
        self.part = path.with_name(path.name + ".part")
        self.note_path = path.with_name(path.name + ".part.json")
        self.total: int | None = expected.size_bytes
        self.validator: str | None = None

    def run(self) -> str:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._recall()
        best, idle_tries = self._arrived(), 0
        while True:
            try:
                self._try_once()
                break
            except Passing as trouble:
                arrived = self._arrived()
                idle_tries = 0 if arrived > best else idle_tries + 1
                best = max(best, arrived)
                if idle_tries >= self.patience.max_tries:
                    raise DownloadError(self._gave_up(trouble)) from None
                time.sleep(self._wait_s(idle_tries, trouble))
        return self._finish()

    def _try_once(self) -> None:
        """One request and all that it brings; returns when the file is complete."""
        arrived = self._arrived()
        if self.total is not None and arrived == self.total:
            return
        headers = {}
        if arrived:
            headers["Range"] = f"bytes={arrived}-"
            if self.validator:
                headers["If-Range"] = self.validator
        with open_remote(self.remote, headers) as response:
            start = self._accept(response, arrived)
            self._check_room(start)
            with bytes_bar(self.total, start, self.path.name) as bar, open(self.part, "ab") as out:
                out.truncate(start)
                for block in raw_blocks(response):
                    out.write(block)
                    bar.update(len(block))
                    if self.total is not None and out.tell() > self.total:
                        raise self._wrong_size(out.tell(), "and goes on")
        if self.total is not None and self._arrived() < self.total:
            raise Passing(f"the connection ended at {self._arrived():,} of {self.total:,} bytes")

    def _accept(self, response: Response, arrived: int) -> int:
        """Check status and headers; the position at which the response's bytes belong."""
        if response.status_code == 416 and arrived:  # it has nothing at that position
            self._forget()
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
            other_size = self.total is not None and total not in (None, self.total)
            if start != arrived or other_size or self.validator not in (None, validator_of(response)):
                self._forget()
                raise Passing(f"asked for bytes from {arrived:,}, got others ({response.headers.get('Content-Range')})")
        self._note(response, total)
        return start

    def _note(self, response: Response, total: int | None) -> None:
        """Keep the object's identity beside the bytes, before the first of them is written."""
        if self.expected.size_bytes is not None and total not in (None, self.expected.size_bytes):
            raise self._wrong_size(total, "announced")
        if total is not None or response.status_code == 200:
            self.total = total if total is not None else self.expected.size_bytes
        self.validator = validator_of(response)
        note = {"from": self.remote.name, "validator": self.validator, "size_bytes": self.total}
        with writing_atomically(self.note_path) as unfinished_path:
            unfinished_path.write_text(json.dumps(note), encoding="utf-8")

    def _recall(self) -> None:
        """Take up an earlier process's bytes if they can be proven to belong to this file; else drop them."""
        try:
            note = json.loads(self.note_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            note = {}
        provable = note.get("validator") or self.expected.checksum
        same_size = self.expected.size_bytes in (None, note.get("size_bytes"))
        if note.get("from") != self.remote.name or not provable or not same_size:
            return self._forget()
        self.validator, self.total = note["validator"], note["size_bytes"]
        # A part as long as the whole was never asked about in this process: one byte less makes the server confirm it.
        if self.total is not None and self._arrived() >= self.total and not self.expected.checksum:
            with open(self.part, "r+b") as part:
                part.truncate(max(self.total - 1, 0))
        return None

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note_path.unlink(missing_ok=True)
        self.validator, self.total = None, self.expected.size_bytes

    def _arrived(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _check_room(self, start: int) -> None:
        if self.total is None:
            return
        needed = int(self.total * self.room) - start + SPARE_BYTES
        free = shutil.disk_usage(self.path.parent).free
        if free < needed:
            raise DownloadError(
                f"{self.path.parent}: {needed / 1e9:.1f} GB of disk space needed for {self.path.name}"
                f"{' and its content' if self.room > 1 else ''}, {free / 1e9:.1f} GB free"
            )

    def _finish(self) -> str:
        """Checksum, rename; the file's sha256."""
        sha256, md5 = _digests(self.part)
        if self.expected.checksum:
            algorithm, wanted = self.expected.checksum
            got = {"sha256": sha256, "md5": md5}[algorithm]
            if got != wanted:
                self._forget()
                raise DownloadError(
                    f"{self.remote.name}: {algorithm} of what came is {got}, expected {wanted}; the copy was deleted. "
                    "Try again; if it stays so, the file there has changed"
                )
        with open(self.part, "rb") as part:
            os.fsync(part.fileno())
        self.part.replace(self.path)
        self.note_path.unlink(missing_ok=True)
        return sha256

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
        total = "an unknown number of" if self.total is None else f"{self.total:,}"
        return (
            f"{self.remote.name}: {trouble}; gave up after {self.patience.max_tries} tries that brought "
            f"nothing new, at {self._arrived():,} of {total} bytes; run the command again to go on"
        )

    def _refusal(self, status: int) -> str:
        advice = self.remote.advice_by_status.get(status) or ADVICE_BY_STATUS.get(status, "that is no file")
        return f"{self.remote.name}: status {status}: {advice}"

    def _wrong_size(self, got: int | None, what: str) -> DownloadError:
        wanted = self.total
        self._forget()
        return DownloadError(f"{self.remote.name}: expected {wanted:,} bytes, got {got:,} {what}; nothing was kept")


def _digests(path: Path) -> tuple[str, str]:
    """(sha256, md5) in one reading."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            sha256.update(block)
            md5.update(block)
    return sha256.hexdigest(), md5.hexdigest()
