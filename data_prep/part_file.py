"""An unfinished download on the disk: `<name>.part`, and `<name>.part.json` that says which object its bytes belong to.

A later process takes the bytes up only if they can be proven to belong to the object that is asked for.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from data_prep.files import writing_atomically
from data_prep.remote import BLOCK_BYTES


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


class PartFile:
    """The bytes that have arrived of one object.

    Attributes:
        total: the object's size in bytes, as far as it is known.
        validator: the ETag or date that proves two responses to be about the same bytes.
    """

    def __init__(self, path: Path, origin: str, expected: Expected) -> None:
        """Of what will be `path`, from `origin` (the name of its remote)."""
        self.path, self.note_path = path.with_name(path.name + ".part"), path.with_name(path.name + ".part.json")
        self.final_path, self.origin, self.expected = path, origin, expected
        self.total: int | None = expected.size_bytes
        self.validator: str | None = None

    def arrived(self) -> int:
        """Bytes on the disk."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def remember(self, total: int | None, validator: str | None) -> None:
        """Keep the object's identity beside the bytes; to be called before the first of them is written."""
        self.total, self.validator = total, validator
        note = {"from": self.origin, "validator": validator, "size_bytes": total}
        with writing_atomically(self.note_path) as unfinished_path:
            unfinished_path.write_text(json.dumps(note), encoding="utf-8")

    def recall(self) -> None:
        """Take up an earlier process's bytes if they can be proven to belong to this file; else drop them."""
        try:
            note = json.loads(self.note_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            note = {}
        provable = note.get("validator") or self.expected.checksum
        same_size = self.expected.size_bytes in (None, note.get("size_bytes"))
        if note.get("from") != self.origin or not provable or not same_size:
            self.forget()
            return
        self.validator, self.total = note["validator"], note["size_bytes"]
        # A part as long as the whole was never asked about in this process: one byte less makes the server confirm it.
        if self.total is not None and self.arrived() >= self.total and not self.expected.checksum:
            with open(self.path, "r+b") as part:
                part.truncate(max(self.total - 1, 0))

    def forget(self) -> None:
        """Drop the bytes and what was learnt of the object."""
        self.path.unlink(missing_ok=True)
        self.note_path.unlink(missing_ok=True)
        self.validator, self.total = None, self.expected.size_bytes

    def digests(self) -> dict[str, str]:
        """Hex digests of the bytes under "sha256" and "md5", in one reading."""
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        with open(self.path, "rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                sha256.update(block)
                md5.update(block)
        return {"sha256": sha256.hexdigest(), "md5": md5.hexdigest()}

    def finish(self) -> None:
        """Sync the bytes and give them their final name."""
        with open(self.path, "rb") as part:
            os.fsync(part.fileno())
        self.path.replace(self.final_path)
        self.note_path.unlink(missing_ok=True)
