import pytest

from data_prep.errors import ConfigError
from data_prep.sources.deepfashion_inshop import read_rows

ROWS = [
    "img/WOMEN/Dresses/id_00000002/02_1_front.jpg                     id_00000002 train",
    "img/WOMEN/Dresses/id_00000004/02_1_front.jpg                     id_00000004 train",
    "img/MEN/Denim/id_00000080/01_1_front.jpg                         id_00000080 query",
    "img/MEN/Denim/id_00000080/01_7_additional.jpg                    id_00000080 gallery   ",
]


def world(folder, rows=ROWS, count=None, n_files=3):
    (folder / "Eval").mkdir()
    text = [str(len(rows) if count is None else count), "image_name     item_id  evaluation_status", *rows]
    (folder / "Eval/list_eval_partition.txt").write_text("\n".join(text) + "\n")
    for row in rows[:n_files]:
        path = folder / row.split()[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_rows(tmp_path):
    rows = read_rows(world(tmp_path))
    assert rows.select("class_key", "path", "split", "role", "reject_reason").rows() == [
        ("id_00000002", "img/WOMEN/Dresses/id_00000002/02_1_front.jpg", "train", "", None),
        ("id_00000004", "img/WOMEN/Dresses/id_00000004/02_1_front.jpg", "train", "", None),
        ("id_00000080", "img/MEN/Denim/id_00000080/01_1_front.jpg", "test", "query", None),
        ("id_00000080", "img/MEN/Denim/id_00000080/01_7_additional.jpg", "test", "index", "missing file"),
    ]


@pytest.mark.parametrize("count", [3, 5, "many"])
def test_the_count_in_line_one_must_be_right(tmp_path, count):
    with pytest.raises(ConfigError, match=f"line 1 says '{count}' rows, found 4"):
        read_rows(world(tmp_path, count=count))


def test_an_unknown_status_names_the_known_ones(tmp_path):
    with pytest.raises(ConfigError, match="no evaluation_status 'val'; known: gallery, query, train"):
        read_rows(world(tmp_path, rows=[ROWS[0].replace("train", "val")]))


@pytest.mark.parametrize("gone", ["Eval/list_eval_partition.txt", "img"])
def test_what_is_missing_is_named_with_how_to_get_it(tmp_path, gone):
    (world(tmp_path) / gone).rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=rf"no (file|folder) .*/{gone}; to get it: .*DeepFashion page"):
        read_rows(tmp_path)
