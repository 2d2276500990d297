import doctest
import hashlib

from data_prep import hash_rank


def test_doctests():
    result = doctest.testmod(hash_rank)
    assert (result.attempted, result.failed) == (2, 0)


def test_is_the_first_eight_bytes_of_sha256_over_the_names():
    expected = hashlib.sha256(b"3\0cap\0sop\0a.jpg").hexdigest()[:16]
    assert hash_rank.rank_hash(3, "cap", "sop", "a.jpg") == int(expected, 16)


def test_seed_and_purpose_change_it():
    numbers = {hash_rank.rank_hash(seed, purpose, "a") for seed in (0, 1) for purpose in ("cap", "split")}
    assert len(numbers) == 4
