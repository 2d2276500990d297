import csv

import pytest

from data_prep.miniature.picture_layouts import TRICKY_IDS, dafre, imet, wikiart


def rows_of(data, name):
    return list(csv.reader(data.files[name].decode().splitlines()))


def test_wikiart_titles_are_not_quoted_and_styles_not_in_the_order_of_their_folders():
    data = wikiart(0, 1.0)
    text = "".join(data.files[f"Style/style_{part}.csv"].decode() for part in ("train", "val"))
    pairs = dict(line.rsplit(",", 1) for line in text.splitlines())
    assert {f"wikiart/{path}": style for path, style in pairs.items()} == {p.path: p.class_key for p in data.photos}
    assert max(path.count(",") for path in pairs) == 1 and any("é" in path for path in pairs)
    folders = [line.split(" ")[1] for line in data.files["Style/style_class.txt"].decode().splitlines()]
    assert folders != sorted(folders)
    assert all(path.split("/")[0] == folders[int(style)] for path, style in pairs.items())
    assert "Artist/artist_train" in data.files and "Genre/genre_val.csv" in data.files


def test_imet_has_one_to_four_attributes_and_ids_like_numbers():
    data = imet(0, 1.0)
    header, *rows = rows_of(data, "train.csv")
    assert header == ["id", "attribute_ids"]
    attributes = {name: cell.split(" ") for name, cell in rows}
    assert set(TRICKY_IDS) < set(attributes) and {len(found) for found in attributes.values()} == {1, 2, 3, 4}
    truth = {p.path: [p.class_key, *p.more_class_keys] for p in data.photos if p.listed}
    assert {f"train/{name}.png": found for name, found in attributes.items()} == truth
    assert {cell for cell, _ in rows_of(data, "labels.csv")[1:]} > {key for found in truth.values() for key in found}
    defects = {photo.defect for photo in data.photos}
    assert defects == {"png", "missing", "empty", "html"}


@pytest.mark.parametrize("full", [False, True])
def test_the_folder_of_a_drawing_is_not_its_character(read_and_planned, full):
    data = dafre(0, 1.0, full)
    rows = [row for part in ("train", "val", "test") for row in rows_of(data, f"labels/{part}.csv")]
    assert all(path == f"{int(path[5:-4]) % 1000:04d}/{path[5:]}" for _, path in rows)
    assert {int(path[:4]) for _, path in rows} <= {int(number) for number, _ in rows}
    assert sum(int(path[:4]) != int(number) for number, path in rows) > len(rows) // 2
    characters = [{row[0] for row in rows_of(data, f"labels/{part}.csv")} for part in ("train", "val", "test")]
    assert characters[0] == characters[1] == characters[2] == {str(k) for k in range(6)}
    found, planned = read_and_planned(data)
    assert found == planned and found[0][0].startswith("fullMin256/" if full else "faces/")
