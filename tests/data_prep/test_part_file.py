import hashlib

import pytest

from data_prep.part_file import Expected, PartFile


@pytest.fixture
def unfinished(tmp_path):
    """unfinished(expected): what another process would find of a.zip, 5 of 9 bytes of it, known by an ETag."""

    def find(expected=None, origin="there", validator='"one"'):
        part = PartFile(tmp_path / "a.zip", "there", Expected())
        part.remember(9, validator)
        part.path.write_bytes(b"01234")
        return PartFile(tmp_path / "a.zip", origin, expected or Expected())

    return find


def test_bytes_of_the_same_object_are_taken_up(unfinished):
    part = unfinished()
    part.recall()
    assert (part.arrived(), part.total, part.validator) == (5, 9, '"one"')


def test_a_checksum_that_decides_at_the_end_is_proof_enough(unfinished):
    part = unfinished(Expected(sha256="ab"), validator=None)
    part.recall()
    assert part.arrived() == 5


@pytest.mark.parametrize(
    ("expected", "origin", "validator"),
    [(None, "elsewhere", '"one"'), (Expected(size_bytes=8), "there", '"one"'), (None, "there", None)],
)
def test_bytes_that_could_be_of_another_object_are_dropped(unfinished, tmp_path, expected, origin, validator):
    part = unfinished(expected, origin, validator)
    part.recall()
    assert part.arrived() == 0 and list(tmp_path.iterdir()) == []
    assert (part.total, part.validator) == (expected.size_bytes if expected else None, None)


def test_a_note_that_was_cut_off_proves_nothing(unfinished):
    part = unfinished()
    part.note_path.write_text('{"from": "the')
    part.recall()
    assert part.arrived() == 0


def test_a_part_as_long_as_the_whole_is_asked_about_again(unfinished):
    part = unfinished()
    part.path.write_bytes(b"012345678")
    part.recall()
    assert part.arrived() == 8


def test_what_is_finished_has_its_final_name_and_nothing_beside_it(unfinished, tmp_path):
    part = unfinished()
    sha256, md5 = hashlib.sha256(b"01234").hexdigest(), hashlib.md5(b"01234").hexdigest()
    assert part.digests() == {"sha256": sha256, "md5": md5}
    part.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_the_stronger_checksum_is_the_one_that_counts():
    assert Expected(sha256="AB", md5="CD").checksum == ("sha256", "ab")
    assert Expected(md5="CD").checksum == ("md5", "cd") and Expected(7).checksum is None
