"""JPEG bytes made in the same decode as the check, kept until the shards hold them.

A folder holds pairs of files: `<name>.jpgs`, pictures one after the other, and `<name>.parquet`, where each of them
lies. Pictures are found by the sha256 of their raw file, and their box if they are a part of it, so it does not matter
which row or which source asked. Every picture carries a checksum: what is damaged or missing is simply encoded again,
so nothing here has to be synced.
"""

import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data_prep.crops import MARK
from data_prep.files import WRITE_BYTES, sha256_of_bytes, writing_atomically
from data_prep.images import encoder_versions
from data_prep.parquet_parts import read_parts, write_part

INDEX_SCHEMA = {
    "picture": pl.String,  # sha256 of the raw file; of a box in it, see `picture_key`
    "file": pl.String,  # of the .jpgs file, without its suffix
    "offset": pl.Int64,
    "n_bytes": pl.Int64,  # 0: the raw file itself is what is packed
    "crc32": pl.UInt32,
}
PLACE_COLUMNS = ("file", "offset", "n_bytes", "crc32")


@dataclass(frozen=True)
class ImageSettings:
    """How pictures are stored: see `images.prepare_image`."""

    image_px: int
    jpeg_quality: int
    apply_exif_orientation: bool = False


def picture_key(sha256: str, path: str) -> str:
    """What the folder calls a picture: the sha256 of its file, with the box of its catalogue path if it has one."""
    box_at = path.find(MARK)
    return sha256 if box_at < 0 else sha256 + path[box_at:]


def encoded_folder(build_dir: Path, image: ImageSettings) -> Path:
    """Where pictures encoded with these settings by these versions lie."""
    return build_dir / "encoded" / sha256_of_bytes(f"{image} {encoder_versions()}".encode())[:12]


def write_encoded(folder: Path, name: str, pictures: Collection[tuple[str, bytes | None]]) -> None:
    """Keep some pictures under one name, if there are any.

    Args:
        pictures: (`picture_key`, JPEG bytes or None if the raw file is packed as it is).
    """
    if not pictures:
        return
    rows, offset = [], 0
    with writing_atomically(folder / f"{name}.jpgs", synced=False) as path, open(path, "wb", WRITE_BYTES) as stream:
        for picture, jpeg in pictures:
            rows.append((picture, name, offset, len(jpeg or b""), zlib.crc32(jpeg or b"")))
            offset += stream.write(jpeg or b"")
    index = pl.DataFrame(rows, schema=INDEX_SCHEMA, orient="row")
    write_part(index, folder / f"{name}.parquet")


def read_index(folder: Path) -> pl.DataFrame:
    """INDEX_SCHEMA's columns, a row a raw file."""
    return read_parts(folder, INDEX_SCHEMA).unique("picture", keep="first")


def read_encoded(folder: Path, file: str, offset: int, n_bytes: int, crc32: int) -> bytes | None:
    """The JPEG bytes at a place; None where they are not there any more, or damaged."""
    try:
        # A path made by pathlib, for every picture, takes as long as reading it.
        with open(f"{folder}/{file}.jpgs", "rb", buffering=0) as stream:
            stream.seek(offset)
            jpeg = stream.read(n_bytes)
    except OSError:
        return None
    return jpeg if len(jpeg) == n_bytes and zlib.crc32(jpeg) == crc32 else None
