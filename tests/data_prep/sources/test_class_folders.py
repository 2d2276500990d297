import pytest

from data_prep.errors import ConfigError
from data_prep.sources.class_folders import ClassFoldersOptions, read_rows, read_split_folders


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_is_a_class_with_all_files_below_it(tmp_path):
    touch(tmp_path, "002/b.jpg", "001/deep/a.PNG", "001/c.txt", "README", ".cache/x.jpg")
    rows = read_rows(tmp_path, ClassFoldersOptions())
    assert rows.select("class_key", "path", "split", "role").rows() == [
        ("001", "001/c.txt", "", ""),
        ("001", "001/deep/a.PNG", "", ""),
        ("002", "002/b.jpg", "", ""),
    ]


def test_split_folders(tmp_path):
    touch(tmp_path, "Training/cup/a.jpg", "Test/dog/b.jpg")
    rows = read_rows(tmp_path, ClassFoldersOptions(split_folders={"Training": "train", "Test": "test"}))
    assert rows.select("class_key", "path", "split", "role").rows() == [
        ("cup", "Training/cup/a.jpg", "train", ""),
        ("dog", "Test/dog/b.jpg", "test", "both"),
    ]


def test_an_empty_class_is_an_error(tmp_path):
    touch(tmp_path, "full/a.jpg", "empty/.keep")
    with pytest.raises(ConfigError, match=r"empty: an empty class"):
        read_rows(tmp_path, ClassFoldersOptions())


def test_no_class_folder_and_a_missing_split_folder_are_errors(tmp_path):
    touch(tmp_path, "a.jpg")
    with pytest.raises(ConfigError, match="expected a folder for each class"):
        read_rows(tmp_path, ClassFoldersOptions())
    with pytest.raises(ConfigError, match=r"no folder .*Test"):
        read_rows(tmp_path, ClassFoldersOptions(split_folders={"Test": "test"}))


def test_a_missing_folder_of_a_known_data_set_says_how_to_get_it(tmp_path):
    touch(tmp_path, "train/cup/a.jpg")
    assert read_split_folders(tmp_path, {"train": "train"}, "Cups", "ask")["split"].to_list() == ["train"]
    with pytest.raises(ConfigError, match=r"Cups: no folder .*/val; to get it: ask"):
        read_split_folders(tmp_path, {"train": "train", "val": "train"}, "Cups", "ask")
