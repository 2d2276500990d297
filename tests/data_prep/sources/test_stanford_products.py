import pytest

from data_prep.errors import ConfigError
from data_prep.sources.stanford_products import read_rows

HEADER = "image_id class_id super_class_id path\n"


def world(folder):
    (folder / "Ebay_train.txt").write_text(
        HEADER
        + "1 1 1 bicycle_final/111085122871_0.JPG\n"
        + "2 1 1 bicycle_final/111085122871_1.JPG\n"
        + "3 2 2 chair_final/111085122871_0.JPG\n"  # the same item number in another kind: another class
    )
    (folder / "Ebay_test.txt").write_text(HEADER + "4 11319 2 chair_final/5_0.JPG\n5 11319 2 chair_final/5_1.JPG\n")
    for path in ("bicycle_final/111085122871_0.JPG", "chair_final/111085122871_0.JPG", "chair_final/5_0.JPG"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).touch()
    (folder / "bicycle_final/111085122871_1.jpg").touch()  # the list says .JPG: this is not that file
    (folder / "chair_final/5_1.JPG").touch()
    return folder


def test_rows(tmp_path):
    rows = read_rows(world(tmp_path))
    assert rows.select("class_key", "path", "split", "role", "reject_reason").rows() == [
        ("1", "bicycle_final/111085122871_0.JPG", "train", "", None),
        ("1", "bicycle_final/111085122871_1.JPG", "train", "", "missing file"),
        ("2", "chair_final/111085122871_0.JPG", "train", "", None),
        ("11319", "chair_final/5_0.JPG", "test", "both", None),
        ("11319", "chair_final/5_1.JPG", "test", "both", None),
    ]


@pytest.mark.parametrize("split", ["train", "test"])
def test_both_lists_are_needed(tmp_path, split):
    (world(tmp_path) / f"Ebay_{split}.txt").unlink()
    with pytest.raises(ConfigError, match=rf"no file .*Ebay_{split}.txt; to get it: .*Stanford_Online_Products.zip"):
        read_rows(tmp_path)


def test_a_row_that_was_cut_off_is_an_error_with_its_line(tmp_path):
    (world(tmp_path) / "Ebay_test.txt").write_text(HEADER + "4 11319 2 chair_final/5_0.JPG\n5 11319 2\n")
    with pytest.raises(ConfigError, match=r"Ebay_test.txt line 3: got 3 cells, expected 4"):
        read_rows(tmp_path)


def test_a_list_without_its_header_is_an_error(tmp_path):
    (world(tmp_path) / "Ebay_test.txt").write_text("4 11319 2 chair_final/5_0.JPG\n")
    with pytest.raises(ConfigError, match="no column 'class_id', 'path'"):
        read_rows(tmp_path)
