"""Members as they are listed; what is refused and how damage is met is tested with `unpack` in test_archives.py."""

import pytest

from data_prep.archive_members import Allowance, Limits, open_members


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_members_come_in_order_with_their_bytes_whatever_the_file_is_called(tmp_path, pack, name):
    path = tmp_path / "download"
    path.write_bytes(pack(name, {"b/2.jpg": b"two", "a/1.jpg": b"", "b/": b""} if name == "a.zip" else
                          {"b/2.jpg": b"two", "a/1.jpg": b""}))
    with open_members(path, Allowance(path, Limits())) as members:
        seen = [(member.name, member.content and member.content.read(), member.problem) for member in members]
    assert seen[:2] == [("b/2.jpg", b"two", ""), ("a/1.jpg", b"", "")]
    assert seen[2:] == ([("b/", None, "")] if name == "a.zip" else [])


def test_an_allowance_ends_at_its_numbers(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(10))
    allowance = Allowance(path, Limits(max_members=2, max_ratio=3.0, small_bytes=5))
    allowance.take_member(), allowance.take_member()
    with pytest.raises(ValueError, match="more than 2 members"):
        allowance.take_member()
    allowance.take(30)
    with pytest.raises(ValueError, match="more than 30 bytes come out"):
        allowance.take(1)


def test_a_small_archive_may_hold_more_than_the_ratio(tmp_path):
    (tmp_path / "a").write_bytes(bytes(10))
    assert Allowance(tmp_path / "a", Limits(max_ratio=3.0, small_bytes=500)).max_bytes == 500
    assert Allowance(tmp_path / "a", Limits(max_bytes=400, max_ratio=3.0, small_bytes=500)).max_bytes == 400
