import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib

import pytest

from data_prep.archive_members import BLOCK_BYTES, Limits
from data_prep.archives import DamagedArchive, is_archive, safe_parts, unpack
from data_prep.errors import ConfigError

FILES = {"train/1.jpg": b"one", "train/b/2.jpg": b"two" * 1000, "名前/é.csv": b"a,b\n"}


def write_zip(path, members, **how):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content, **how)
    return path


def write_tar(path, members, mode="w", change=lambda info: info):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(change(info), io.BytesIO(content))
    return path


def write(path, members):
    if path.suffix == ".zip":
        return write_zip(path, members)
    return write_tar(path, members, "w:gz" if path.name.endswith("gz") else "w")


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_nothing_left(tmp_path, archive):
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


def every_format(test):
    return pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])(test)


@every_format
def test_files_come_out_with_their_names_and_bytes(tmp_path, name):
    assert unpack(write(tmp_path / name, FILES), tmp_path / "out") == 3
    assert files_below(tmp_path / "out") == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out"])
    assert is_archive(name)


@every_format
def test_they_join_what_is_there_and_replace_what_has_their_name(tmp_path, name):
    (tmp_path / "out" / "train").mkdir(parents=True)
    (tmp_path / "out" / "train" / "0.jpg").write_bytes(b"zero")
    (tmp_path / "out" / "train" / "1.jpg").write_bytes(b"old")
    unpack(write(tmp_path / name, FILES), tmp_path / "out")
    assert files_below(tmp_path / "out") == FILES | {"train/0.jpg": b"zero"}


def test_a_single_top_folder_of_the_targets_name_is_left_out(tmp_path):
    members = {"train/1.jpg": b"one", "train/train/2.jpg": b"two"}
    unpack(write(tmp_path / "train.zip", members), tmp_path / "train")
    assert files_below(tmp_path / "train") == {"1.jpg": b"one", "train/2.jpg": b"two"}
    unpack(write(tmp_path / "other.zip", members), tmp_path / "other")
    assert sorted(files_below(tmp_path / "other")) == ["train/1.jpg", "train/train/2.jpg"]


@every_format
def test_folders_around_the_content_are_left_out_whatever_they_are_called(tmp_path, name):
    members = {"README": b"read", "raw/set v2/meta/train.txt": b"list", "raw/set v2/images/a/1.jpg": b"one"}
    content = {"README": b"read", "meta/train.txt": b"list", "images/a/1.jpg": b"one"}
    archive = write(tmp_path / name, members)
    for patterns in (("meta",), ("nowhere", "meta/*.txt"), ("images/*/*.jpg",)):
        out = tmp_path / "-".join(patterns).replace("/", "-")
        assert unpack(archive, out, root_has=patterns) == 3 and files_below(out) == content
        assert sorted(path.name for path in out.iterdir()) == ["README", "images", "meta"]  # no empty raw/
    assert unpack(archive, tmp_path / "meta", root_has=("meta",)) == 3  # joined with what is there, by the same rule
    assert files_below(tmp_path / "meta") == content and not (tmp_path / "meta" / "raw").exists()


@every_format
def test_content_at_the_top_stays_there_and_so_does_what_is_not_found_or_found_twice(tmp_path, name):
    members = {"train/a/1.jpg": b"1", "x/train/a/1.jpg": b"deeper", "y/val/b/2.jpg": b"2", "z/val/b/3.jpg": b"3"}
    archive = write(tmp_path / name, members)
    for number, patterns in enumerate([("train",), ("nowhere",), ("val",)]):
        unpack(archive, tmp_path / f"out{number}", root_has=patterns)
        assert files_below(tmp_path / f"out{number}") == members
    same = write(tmp_path / f"same{name}", {"out9/1.jpg": b"one"})
    unpack(same, tmp_path / "out9", root_has=("nowhere",))  # the rule about the target's name holds then
    assert files_below(tmp_path / "out9") == {"1.jpg": b"one"}


def test_resource_forks_of_macos_are_left_out(tmp_path):
    members = {"set/a/1.jpg": b"one", "__MACOSX/set/a/._1.jpg": b"fork", "__MACOSX/._set": b"fork"}
    assert unpack(write_zip(tmp_path / "a.zip", members), tmp_path / "set") == 1
    assert files_below(tmp_path / "set") == {"a/1.jpg": b"one"}
    hostile = write_zip(tmp_path / "b.zip", {"__MACOSX/../../evil": b"evil"})
    with pytest.raises(ConfigError, match="leaves the folder"):
        unpack(hostile, tmp_path / "set")


def test_utf_8_names_are_found_without_the_zip_flag(tmp_path):
    name = "商品.jpg"
    raw = write_zip(tmp_path / "a.zip", {"x" * len(name.encode()): b"1"}).read_bytes()
    (tmp_path / "a.zip").write_bytes(raw.replace(b"x" * len(name.encode()), name.encode()))
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert files_below(tmp_path / "out") == {name: b"1"}


@every_format
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("../evil.jpg", "leaves the folder"), ("a/../../evil.jpg", "leaves the folder"), ("/tmp/evil.jpg", "absolute"),
        ("C:evil.jpg", "absolute"), ("..\\evil.jpg", "backslash"), ("a\nb.jpg", "control character"),
        ("ok/1.jpg", "two members have this name"), ("ok/1.jpg/below.jpg", "Not a directory|File exists"),
    ],
)
def test_a_name_that_may_not_be_is_an_error_that_names_it(tmp_path, name, bad, said):
    archive = write(tmp_path / name, {"ok/1.jpg": b"1"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *a, **k: None)  # zipfile's, about a repeated name
        if name.endswith(".zip"):
            with zipfile.ZipFile(archive, "a") as opened:
                opened.writestr(bad, b"evil")
        else:
            pairs = [("ok/1.jpg", b"1"), (bad, b"evil")]
            with tarfile.open(archive, "w:gz" if name.endswith("gz") else "w") as opened:
                for member, content in pairs:
                    info = tarfile.TarInfo(member)
                    info.size = len(content)
                    opened.addfile(info, io.BytesIO(content))
    with pytest.raises(ConfigError, match=f"{name}: member .*: .*({said})") as caught:
        unpack(archive, tmp_path / "out")
    assert ascii(bad)[1:-1] in str(caught.value)
    assert_nothing_left(tmp_path, archive)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "a link"), (tarfile.LNKTYPE, "a link"), (tarfile.CHRTYPE, "neither"),
        (tarfile.BLKTYPE, "neither"), (tarfile.FIFOTYPE, "neither"), (tarfile.GNUTYPE_SPARSE, "neither"),
    ],
)
def test_tar_links_and_devices_are_refused(tmp_path, kind, said):
    def change(info):
        info.type, info.linkname = kind, "/etc/passwd"
        return info

    archive = write_tar(tmp_path / "a.tar", {"odd": b""}, change=change)
    with pytest.raises(ConfigError, match=f"member 'odd': {said}"):
        unpack(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


@pytest.mark.parametrize(("kind", "said"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "neither")])
def test_zip_links_and_devices_are_refused(tmp_path, kind, said):
    info = zipfile.ZipInfo("odd")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ConfigError, match=f"member 'odd': {said}"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert_nothing_left(tmp_path, tmp_path / "a.zip")


def test_an_encrypted_member_is_refused(tmp_path):
    raw = bytearray(write_zip(tmp_path / "a.zip", {"secret.jpg": b"1"}).read_bytes())
    directory = raw.index(b"PK\x01\x02")
    raw[6] |= 1
    raw[directory + 8] |= 1
    (tmp_path / "a.zip").write_bytes(raw)
    with pytest.raises(ConfigError, match=r"member 'secret\.jpg': it is encrypted"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@every_format
def test_a_decompression_bomb_is_stopped_by_bytes_that_come_out(tmp_path, name):
    archive = write(tmp_path / name, {"small": b"1", "bomb": bytes(5 * BLOCK_BYTES)})
    with pytest.raises(ConfigError, match=r"member 'bomb': more than 3,000,000 bytes come out"):
        unpack(archive, tmp_path / "out", Limits(max_bytes=3_000_000))
    assert_nothing_left(tmp_path, archive)
    if name != "a.tar":  # which cannot shrink
        with pytest.raises(ConfigError, match="a decompression bomb"):
            unpack(archive, tmp_path / "out", Limits(max_ratio=100, small_bytes=1000))
    assert unpack(archive, tmp_path / "out") == 2


def test_a_zip_that_lies_about_sizes_is_not_believed(tmp_path):
    raw = write_zip(tmp_path / "a.zip", {"bomb": bytes(5 * BLOCK_BYTES)}).read_bytes()
    (tmp_path / "a.zip").write_bytes(raw.replace(struct.pack("<I", 5 * BLOCK_BYTES), struct.pack("<I", 10)))
    with pytest.raises((DamagedArchive, ConfigError), match="member 'bomb'"):
        unpack(tmp_path / "a.zip", tmp_path / "out", Limits(max_bytes=3_000_000))
    assert_nothing_left(tmp_path, tmp_path / "a.zip")


def test_a_bomb_after_the_end_of_a_tar_is_stopped(tmp_path):
    raw = gzip.decompress(write_tar(tmp_path / "a.tar.gz", {"x": b"1"}, "w:gz").read_bytes())
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(raw + bytes(5 * BLOCK_BYTES)))
    with pytest.raises(ConfigError, match=r"member '\(after x\)': more than 3,000,000 bytes"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out", Limits(max_bytes=3_000_000))


def test_a_name_of_gigabytes_is_not_read(tmp_path):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 3 << 30
    (tmp_path / "a.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(ConfigError, match="a header of 3,22"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


@every_format
def test_more_members_than_allowed_are_an_error(tmp_path, name):
    with pytest.raises(ConfigError, match=r"member .*: more than 2 members"):
        unpack(write(tmp_path / name, FILES), tmp_path / "out", Limits(max_members=2))


@every_format
def test_an_archive_cut_anywhere_is_damaged_and_leaves_nothing(tmp_path, name):
    whole = write(tmp_path / name, {f"{n}.jpg": bytes([n]) * 600 for n in range(5)}).read_bytes()
    end = len(whole) if name != "a.tar" else 5 * 1536 + 1  # a tar is padded with zeros
    for length in {1, 100, 511, 512, 1536, 3072, 3100, end // 2, end - 1} & set(range(1, end)):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(DamagedArchive, match=r"member .*damaged"):
            unpack(tmp_path / name, tmp_path / "out")
        assert_nothing_left(tmp_path, tmp_path / name)


def test_a_flipped_bit_is_damage(tmp_path):
    raw = bytearray(write_zip(tmp_path / "a.zip", {"1.jpg": zlib.compress(b"noise")}).read_bytes())
    raw[40] ^= 1
    (tmp_path / "a.zip").write_bytes(raw)
    with pytest.raises(DamagedArchive, match=r"member '1\.jpg': damaged"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    raw = bytearray(write_tar(tmp_path / "a.tar.gz", {"1.jpg": b"x"}, "w:gz").read_bytes())
    raw[-6] ^= 1  # the gzip checksum, after the tar's end
    (tmp_path / "a.tar.gz").write_bytes(raw)
    with pytest.raises(DamagedArchive, match="CRC"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"<html>sign in</html>"])
def test_what_is_no_archive_is_damaged(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DamagedArchive, match="its list of members"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_name_that_is_not_utf_8_is_an_error(tmp_path):
    raw = write_tar(tmp_path / "a.tar", {"e.jpg": b"1"}).read_bytes()
    info = tarfile.TarInfo("\udcff.jpg")
    info.size = 1
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + raw[512:])
    with pytest.raises(ConfigError, match="its name is not UTF-8"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


def test_an_earlier_attempt_is_cleared_away(tmp_path):
    (tmp_path / ".out.a.zip.unfinished").mkdir()
    (tmp_path / ".out.a.zip.unfinished" / "half.jpg").write_bytes(b"h")
    unpack(write(tmp_path / "a.zip", FILES), tmp_path / "out")
    assert files_below(tmp_path / "out") == FILES


def test_parts():
    assert safe_parts("./a//b/") == ("a", "b") and safe_parts("./") == ()
    with pytest.raises(ValueError, match="leaves"):
        safe_parts("a/..")
