import pytest

from data_prep.errors import ConfigError
from data_prep.sources.products_10k import read_rows


def world(folder, with_test=True):
    (folder / "train").mkdir()
    (folder / "train.csv").write_text("name,class,group\n3.jpg,007,0\n4.jpg,1,0\n5.jpg,1,0\n")
    for name in ("3.jpg", "4.jpg", "unlisted.jpg"):
        (folder / "train" / name).touch()
    if with_test:
        (folder / "test").mkdir()
        (folder / "test_kaggletest.csv").write_text("name,class,Usage\n3.jpg,1,Public\n9.jpg,007,Private\n")
        (folder / "test" / "3.jpg").touch()
        (folder / "test" / "9.jpg").touch()
    return folder


def test_both_halves_are_train_rows_and_missing_files_are_counted(tmp_path):
    rows = read_rows(world(tmp_path))
    assert rows.select("class_key", "path", "split", "role", "reject_reason").rows() == [
        ("007", "train/3.jpg", "train", "", None),
        ("1", "train/4.jpg", "train", "", None),
        ("1", "train/5.jpg", "train", "", "missing file"),
        ("1", "test/3.jpg", "train", "", None),  # the same name in both folders is not the same picture
        ("007", "test/9.jpg", "train", "", None),
    ]


def test_the_test_half_is_optional(tmp_path):
    assert read_rows(world(tmp_path, with_test=False))["path"].to_list() == [
        "train/3.jpg",
        "train/4.jpg",
        "train/5.jpg",
    ]


@pytest.mark.parametrize("gone", ["train.csv", "train", "test"])
def test_what_is_missing_is_named_with_how_to_get_it(tmp_path, gone):
    folder = world(tmp_path)
    (folder / gone).rename(folder / "elsewhere")
    with pytest.raises(ConfigError, match=rf"Products-10K: no (file|folder) .*/{gone}; to get it: .*Kaggle"):
        read_rows(folder)


def test_a_list_without_classes_is_an_error(tmp_path):
    folder = world(tmp_path)
    (folder / "train.csv").write_text("name,label\n3.jpg,1\n")
    with pytest.raises(ConfigError, match="no column 'class'; columns there: name, label"):
        read_rows(folder)
