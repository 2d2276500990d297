"""A fixed pseudo-random order of names: the same on every machine, whatever other names there are."""

import hashlib

import numpy as np
import polars as pl

_ROWS_AT_ONCE = 1 << 17  # texts and digests held at once


def rank_hash(seed: int, purpose: str, *names: str) -> int:
    """A 64-bit number to sort by; `purpose` keeps choices apart that look at the same names.

    >>> rank_hash(0, "cap", "sop", "7", "a.jpg") == rank_hash(0, "cap", "sop", "7", "a.jpg")
    True
    >>> rank_hash(0, "cap", "sop", "7a.jpg") == rank_hash(0, "cap", "sop", "7", "a.jpg")
    False
    """
    text = "\0".join([str(seed), purpose, *names])
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:8], "big")


def rank_hashes(seed: int, purpose: str, *columns: pl.Series) -> pl.Series:
    """`rank_hash` of every row: UInt64, as long as the columns, which are all String and without nulls.

    >>> rank_hashes(0, "cap", pl.Series(["sop"]), pl.Series(["7"])).item() == rank_hash(0, "cap", "sop", "7")
    True
    """
    table = pl.DataFrame([column.alias(str(n)) for n, column in enumerate(columns)])
    found = np.empty(table.height, dtype=np.uint64)
    start = 0
    for part in table.iter_slices(_ROWS_AT_ONCE):
        texts = part.select(pl.concat_str(pl.lit(f"{seed}\0{purpose}"), pl.all(), separator="\0")).to_series()
        digests = b"".join([hashlib.sha256(text).digest()[:8] for text in texts.cast(pl.Binary)])
        found[start : start + part.height] = np.frombuffer(digests, dtype=">u8")
        start += part.height
    return pl.Series(found)
