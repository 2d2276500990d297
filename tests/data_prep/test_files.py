import errno
import os

import pytest

from data_prep.files import sha256_of_bytes, sha256_of_file, writing_atomically

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, example B.1


def test_the_file_appears_whole_under_its_final_name(tmp_path):
    path = tmp_path / "new_folder" / "a.txt"
    with writing_atomically(path) as unfinished_path:
        unfinished_path.write_text("abc")
        assert unfinished_path.parent == path.parent  # a rename inside one file system
        assert not path.exists()
    assert path.read_text() == "abc"
    assert [found.name for found in path.parent.iterdir()] == ["a.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), writing_atomically(path) as unfinished_path:
        unfinished_path.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_hashes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "a") == sha256_of_bytes(b"abc") == ABC


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path):
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"), writing_atomically(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(FileNotFoundError, match="elsewhere"), writing_atomically(tmp_path / "a.txt"):
        (tmp_path / "elsewhere").read_bytes()
    assert not list(tmp_path.iterdir())
