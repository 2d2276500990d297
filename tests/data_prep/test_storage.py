import errno

import fsspec
import pytest

from data_prep.errors import ConfigError
from data_prep.storage import (
    as_location,
    join,
    list_files,
    open_to_read,
    remove,
    remove_unfinished,
    size_of,
    writing_whole,
)


@pytest.fixture(params=["path", "file", "memory"])
def root(request, tmp_path):
    """The same folder by path and by URL, and one that is no folder at all."""
    if request.param == "memory":
        memory = fsspec.filesystem("memory")
        memory.rm("/bucket", recursive=True) if memory.exists("/bucket") else None
        return "memory://bucket/shards"
    return tmp_path / "shards" if request.param == "path" else f"file://{tmp_path}/shards"


def write(location, content):
    with writing_whole(location) as path:
        path.write_bytes(content)


def test_written_listed_read_removed(root):
    place = join(root, "train/a.tar")
    assert size_of(place) is None and list_files(root, "*/*.tar") == set()
    write(place, b"old")
    write(place, b"abc!")
    write(join(root, "b.tar"), b"")
    assert (size_of(place), size_of(join(root, "train"))) == (4, None)
    with open_to_read(place) as stream:
        assert stream.seek(1) == 1 and stream.read() == b"bc!"
    assert list_files(root, "*/*.tar") == {"train/a.tar"}
    remove(place)
    remove(place)
    assert size_of(place) is None
    with pytest.raises(FileNotFoundError):
        open_to_read(place)


def test_nothing_appears_when_the_writer_fails(root):
    place = join(root, "train/a.tar")
    with pytest.raises(ZeroDivisionError), writing_whole(place) as path:
        path.write_bytes(b"half")
        raise ZeroDivisionError
    assert list_files(root, "*/*") == set()


def test_an_upload_that_breaks_leaves_no_final_name(monkeypatch):
    memory = fsspec.filesystem("memory")

    def breaks(local_path, path, **options):
        memory.pipe_file(path, b"ha")
        raise OSError(errno.EPIPE, "connection lost")

    monkeypatch.setattr(memory, "put_file", breaks)
    with pytest.raises(OSError, match="connection lost"):
        write("memory://broken/train/a.tar", b"half")
    assert list_files("memory://broken", "*/*.tar") == set()
    monkeypatch.undo()
    assert len(memory.find("/broken")) == 1


def test_unfinished_files_are_swept(root, tmp_path):
    for name in (".a.tar.123.unfinished", "train/.b.tar.456.unfinished", "train/c.tar"):
        write(join(root, name), b"x")
    build_dir = tmp_path / "build"
    (build_dir / "done" / "train").mkdir(parents=True)
    (build_dir / "done" / "train" / ".a.json.1.unfinished").touch()
    remove_unfinished(root, build_dir)
    assert list_files(root, "*/*") == {"train/c.tar"} and list_files(root, "*") <= {"train"}
    assert not list(build_dir.rglob("*.unfinished"))


def test_what_fsspec_does_not_know_is_named():
    with pytest.raises(ConfigError, match=r"nowhere://bucket/a: Protocol not known: nowhere"):
        open_to_read("nowhere://bucket/a")


def test_errors_of_a_service_come_with_the_address(monkeypatch):
    class NoCredentials(Exception):
        pass

    def refuses(path, **options):
        raise NoCredentials("who are you?")

    monkeypatch.setattr(fsspec.filesystem("memory"), "isfile", refuses)
    with pytest.raises(ConfigError, match=r"memory://bucket/a: NoCredentials: who are you\?"):
        size_of("memory://bucket/a")


def test_what_a_person_types(tmp_path):
    assert as_location("s3://bucket/shards/") == "s3://bucket/shards"
    assert as_location(str(tmp_path)) == tmp_path
    assert join("s3://bucket/", "a/b.tar") == "s3://bucket/a/b.tar"
