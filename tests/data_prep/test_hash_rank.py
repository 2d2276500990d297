import doctest
import hashlib

import polars as pl

from data_prep import hash_rank


def test_doctests():
    result = doctest.testmod(hash_rank)
    assert (result.attempted, result.failed) == (3, 0)


def test_is_the_first_eight_bytes_of_sha256_over_the_names():
    expected = hashlib.sha256(b"3\0cap\0sop\0a.jpg").hexdigest()[:16]
    assert hash_rank.rank_hash(3, "cap", "sop", "a.jpg") == int(expected, 16)


def test_seed_and_purpose_change_it():
    numbers = {hash_rank.rank_hash(seed, purpose, "a") for seed in (0, 1) for purpose in ("cap", "split")}
    assert len(numbers) == 4


def test_whole_columns_get_the_hashes_of_their_rows(monkeypatch):
    monkeypatch.setattr(hash_rank, "_ROWS_AT_ONCE", 3)
    keys, paths = ["7", "7", "", "ü", "a\0b"], ["a.jpg", "茶.jpg", "c d", "", "e"]
    found = hash_rank.rank_hashes(4, "cap", pl.Series(keys), pl.Series(paths))
    assert found.to_list() == [hash_rank.rank_hash(4, "cap", *names) for names in zip(keys, paths, strict=True)]
    assert found.dtype == hash_rank.rank_hashes(4, "cap", pl.Series([], dtype=pl.String)).dtype == pl.UInt64
