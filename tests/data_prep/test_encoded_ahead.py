from dataclasses import replace

import pytest

from data_prep.encoded_ahead import ImageSettings, encoded_folder, picture_key, read_encoded, read_index, write_encoded


def test_pictures_are_found_by_the_hash_of_their_raw_file(tmp_path):
    write_encoded(tmp_path, "one", [("aa", b"first"), ("bb", None), ("cc", b"third!")])
    write_encoded(tmp_path, "two", [("aa", b"first"), ("dd", b"fourth")])
    write_encoded(tmp_path, "none", [])
    index = {sha256: place for sha256, *place in read_index(tmp_path).iter_rows()}
    assert set(index) == {"aa", "bb", "cc", "dd"}
    assert index["bb"][2] == 0
    assert [read_encoded(tmp_path, *index[key]) for key in ("aa", "cc", "dd")] == [b"first", b"third!", b"fourth"]
    assert not (tmp_path / "none.jpgs").exists()


@pytest.mark.parametrize("damage", ["removed", "cut", "flipped"])
def test_what_is_damaged_is_not_there(tmp_path, damage):
    write_encoded(tmp_path, "one", [("aa", b"first")])
    _, *place = read_index(tmp_path).row(0)
    path = tmp_path / "one.jpgs"
    path.unlink() if damage == "removed" else path.write_bytes(b"firs" if damage == "cut" else b"f?rst")
    assert read_encoded(tmp_path, *place) is None


def test_other_settings_have_their_own_folder(tmp_path):
    settings = ImageSettings(64, 90)
    others = [replace(settings, image_px=65), replace(settings, jpeg_quality=91), ImageSettings(64, 90, True)]
    assert len({encoded_folder(tmp_path, image) for image in (settings, *others)}) == 4
    assert encoded_folder(tmp_path, settings) == encoded_folder(tmp_path, ImageSettings(64, 90))


def test_a_box_is_another_picture_than_its_file():
    assert picture_key("ab", "scene.jpg") == "ab"
    assert picture_key("ab", "scene.jpg#box=1,2,3,4") == "ab#box=1,2,3,4"
