"""A fixed pseudo-random order of names: the same on every machine, whatever other names there are."""

import hashlib


def rank_hash(seed: int, purpose: str, *names: str) -> int:
    """A 64-bit number to sort by; `purpose` keeps choices apart that look at the same names.

    >>> rank_hash(0, "cap", "sop", "7", "a.jpg") == rank_hash(0, "cap", "sop", "7", "a.jpg")
    True
    >>> rank_hash(0, "cap", "sop", "7a.jpg") == rank_hash(0, "cap", "sop", "7", "a.jpg")
    False
    """
    text = "\0".join([str(seed), purpose, *names])
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:8], "big")
