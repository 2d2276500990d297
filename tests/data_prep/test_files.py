import errno
import os

import pytest

from data_prep.files import sha256_of_bytes, sha256_of_file, write_json, writing_atomically

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


def test_json_is_written_whole_two_blanks_a_level_and_a_line_end(tmp_path):
    write_json(tmp_path / "new" / "a.json", {"b": 1, "a": ["é"]})
    assert (tmp_path / "new" / "a.json").read_bytes() == b'{\n  "b": 1,\n  "a": [\n    "\\u00e9"\n  ]\n}\n'
    with pytest.raises(TypeError):
        write_json(tmp_path / "new" / "a.json", {"b": object()})
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.json"]


def test_hashes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "a") == sha256_of_bytes(b"abc") == ABC


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path):
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"), writing_atomically(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(FileNotFoundError, match="elsewhere"), writing_atomically(tmp_path / "a.txt"):
        (tmp_path / "elsewhere").read_bytes()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [OSError, RuntimeError])
def test_errors_of_rust_libraries_get_number_and_name(tmp_path, kind):
    message = r"\[Errno 28\] No space left on device: '.*a\.txt'"
    with pytest.raises(OSError, match=message) as caught, writing_atomically(tmp_path / "a.txt"):
        raise kind("parquet: No space left on device (os error 28)")
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(RuntimeError, match=r"^something else$"), writing_atomically(tmp_path / "a.txt"):
        raise RuntimeError("something else")


def test_a_file_that_may_be_lost_is_not_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    for is_synced in (False, True):
        with writing_atomically(tmp_path / "a.txt", synced=is_synced) as unfinished_path:
            unfinished_path.write_text("abc")
        assert len(synced) == (2 if is_synced else 0)  # the file and the folder's list of names
