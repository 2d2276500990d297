import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.layouts import (
    list_files,
    mark_missing_files,
    read_coco,
    read_json,
    read_lines,
    read_path_and_label,
    read_text_csv,
    require_file,
    require_folder,
)
from data_prep.sources.source import MISSING_FILE, source_rows


def test_missing_folders_and_files_say_what_where_and_how_to_get_it(tmp_path):
    with pytest.raises(ConfigError, match=r"Cars: no folder .*cars_train; to get it: ask Stanford"):
        require_folder(tmp_path / "cars_train", "Cars", "ask Stanford")
    with pytest.raises(ConfigError, match=r"Cars: no file .*annos\.mat$"):
        require_file(tmp_path / "annos.mat", "Cars")
    assert require_folder(tmp_path, "x") == tmp_path


def test_csv_values_stay_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,n,x\n0012,1,\nNone,2e5,NaN\n")
    table = read_text_csv(path, ["id", "x"], "list")
    assert table.rows() == [("0012", ""), ("None", "NaN")]


def test_a_missing_column_is_one_error_with_the_columns_there(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,label\na,b\n")
    with pytest.raises(ConfigError, match=r"no column 'path', 'class'; columns there: name, label"):
        read_text_csv(path, ["path", "name", "class"], "list")


def test_an_empty_csv_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(ConfigError, match="not a readable CSV"):
        read_text_csv(tmp_path / "a.csv", ["a"], "list")


def test_missing_files_become_rejects_and_earlier_reasons_stay(tmp_path):
    (tmp_path / "a.jpg").touch()
    rows = source_rows(["1", "1"], ["a.jpg", "b.jpg"])
    assert mark_missing_files(rows, tmp_path)["reject_reason"].to_list() == [None, MISSING_FILE]


def test_files_are_listed_sorted_whatever_their_suffix_without_hidden_ones(tmp_path):
    for name in ("b/1.JPG", "a/x/2", "a/.DS_Store", ".git/c.jpg", "Z.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list_files(tmp_path) == ["Z.png", "a/x/2", "b/1.JPG"]


def test_a_list_of_paths_and_labels_is_parted_at_the_last_separator(tmp_path):
    (tmp_path / "a.csv").write_text("Style/one, two.jpg,12\n\nb.jpg, 3 \n")
    assert read_path_and_label(tmp_path / "a.csv", ",", "list") == [("Style/one, two.jpg", "12"), ("b.jpg", "3")]
    (tmp_path / "b.csv").write_text("b.jpg\n")
    with pytest.raises(ConfigError, match=r"b.csv entry 1: got 'b.jpg', expected a path, ',', a label"):
        read_path_and_label(tmp_path / "b.csv", ",", "list")


def test_lines_lose_the_white_space_around_them(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffone two \r\n\r\n three\n".encode())
    assert read_lines(tmp_path / "a.txt", "list") == ["one two", "three"]
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not a text file"):
        read_lines(tmp_path / "b.txt", "list")


def test_json_has_its_keys(tmp_path):
    (tmp_path / "a.json").write_text('{"images": []}')
    with pytest.raises(ConfigError, match=r"no 'annotations'; there: images"):
        read_coco(tmp_path / "a.json", "list")
    (tmp_path / "b.json").write_text("<html>")
    with pytest.raises(ConfigError, match="not readable JSON"):
        read_json(tmp_path / "b.json", (), "list")


def test_coco_images_have_the_categories_of_their_annotations(tmp_path):
    images = [{"id": 3, "file_name": "c.jpg"}, {"id": 1, "file_name": "a.jpg"}]
    annotations = [{"id": 1, "image_id": 3, "category_id": 7}, {"id": 3, "image_id": 3, "category_id": 7}]
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    assert read_coco(tmp_path / "a.json", "list") == {"c.jpg": ["7", "7"], "a.jpg": []}
    annotations[0]["image_id"] = 4
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    with pytest.raises(ConfigError, match="image 4, which is not listed"):
        read_coco(tmp_path / "a.json", "list")
