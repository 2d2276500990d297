import numpy as np
import pytest

from data_prep import hamming
from data_prep.hamming import near_pairs


def slow_pairs(hashes, max_bits):
    numbers = [int(number) for number in hashes]
    return [
        (a, b, (numbers[a] ^ numbers[b]).bit_count())
        for a in range(len(numbers)) for b in range(a + 1, len(numbers))
        if (numbers[a] ^ numbers[b]).bit_count() <= max_bits
    ]


def clustered(rng, n_centres=25, n_each=12, max_flips=9):
    """Hashes around a few centres, all different, in random order."""
    found = set()
    for centre in rng.integers(0, 2**64, n_centres, dtype=np.uint64):
        for _ in range(n_each):
            flips = rng.choice(64, rng.integers(0, max_flips + 1), replace=False)
            found.add(int(centre) ^ sum(1 << int(bit) for bit in flips))
    return rng.permutation(np.array(sorted(found), dtype=np.uint64))


def as_list(pairs):
    return [tuple(map(int, row)) for row in zip(*pairs, strict=True)]


@pytest.mark.parametrize("max_bits", range(11))
def test_finds_what_a_slow_loop_finds_each_once(max_bits):
    hashes = clustered(np.random.default_rng(max_bits))
    expected = slow_pairs(hashes, max_bits)
    assert len(expected) > 20 or max_bits < 3
    assert as_list(near_pairs(hashes, max_bits)) == expected


@pytest.mark.parametrize("n_blocks", [5, 6, 7, 9])
def test_any_number_of_blocks_gives_the_same(n_blocks, monkeypatch):
    hashes = clustered(np.random.default_rng(3))
    monkeypatch.setattr(hamming, "_best_n_blocks", lambda n_hashes, max_bits: n_blocks)
    assert as_list(near_pairs(hashes, 4)) == slow_pairs(hashes, 4)


def test_pairs_across_the_borders_of_the_pieces_that_are_compared_at_once(monkeypatch):
    monkeypatch.setattr(hamming, "_ROWS_AT_ONCE", 7)
    numbers = np.arange(300, dtype=np.uint64)  # all agree in the front blocks: one long stretch
    assert as_list(near_pairs(numbers, 2)) == slow_pairs(numbers, 2)


def test_extremes_of_the_number_range():
    numbers = np.array([2**64 - 1, 0, 1, 2**63, 2**64 - 2], dtype=np.uint64)
    assert as_list(near_pairs(numbers, 1)) == [(0, 4, 1), (1, 2, 1), (1, 3, 1)]


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_for_a_pair(n):
    assert as_list(near_pairs(np.arange(n, dtype=np.uint64), 4)) == []


def test_more_hashes_are_cut_into_more_blocks():
    assert hamming._best_n_blocks(1000, 4) <= hamming._best_n_blocks(4_000_000, 4) == 6


@pytest.mark.parametrize(
    ("hashes", "max_bits", "message"),
    [
        (np.array([1, 1], dtype=np.uint64), 2, "group equal hashes"),
        (np.array([1, 2]), 2, "expected uint64"),
        (np.array([1], dtype=np.uint64), 11, "expected 0 to 10"),
        (np.array([1], dtype=np.uint64), -1, "expected 0 to 10"),
    ],
)
def test_wrong_input_is_refused(hashes, max_bits, message):
    with pytest.raises(ValueError, match=message):
        near_pairs(hashes, max_bits)


def test_a_flood_of_pairs_is_refused(monkeypatch):
    monkeypatch.setattr(hamming, "MAX_PAIRS", 100)
    with pytest.raises(ValueError, match="more than 100 pairs within 4 bits"):
        near_pairs(np.arange(64, dtype=np.uint64), 4)
