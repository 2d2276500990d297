import polars as pl
import pytest

from data_prep.catalogue import ACCEPTED, make_catalogue
from data_prep.errors import ConfigError
from data_prep.sources.gldv2 import read_rows
from data_prep.splits import SplitRule, assign_splits, settle_queries

TRAIN_1, TRAIN_2, TRAIN_3 = "00aa11bb22cc33dd", "0000000000000012", "17e5000000000000"
INDEX_17, INDEX_17B = "a000000000000001", "a000000000000002"
INDEX_5, INDEX_FREE = "b000000000000003", "c00000000000000f"
ONE, TWO, IGNORED, NONE, EMPTY, UNLISTED = (f"{n}1100000000000{n:02d}" for n in range(1, 7))

# Query TWO is given two images of landmark 5 and one of 17, in the order 5, 17.
LISTS = {
    "train_clean.csv": f"landmark_id,images\n17,{TRAIN_1} {TRAIN_2}\n004,{TRAIN_3}\n",
    "index.csv": f"id\n{INDEX_17}\n{INDEX_17B}\n{INDEX_5}\n{INDEX_FREE}\n",
    "index_image_to_landmark.csv": f"id,landmark_id\n{INDEX_17},17\n{INDEX_17B},17\n{INDEX_5},5\n",
    "test.csv": "id\n" + "".join(f"{name}\n" for name in (ONE, TWO, IGNORED, NONE, EMPTY, UNLISTED)),
    "retrieval_solution_v2.1.csv": (
        f"id,images,Usage\n{TWO},{INDEX_5} {INDEX_17B},Private\n{ONE},{INDEX_17} {INDEX_17B},Public\n"
        f"{IGNORED},{INDEX_5},Ignored\n{NONE},None,Public\n{EMPTY},,Private\n"
    ),
}
# The same query in the numbering of the train set: must have no influence.
RECOGNITION = f"id,landmarks,Usage\n{ONE},5,Public\n{TWO},004 17,Private\n"


def where(split, name):
    return f"{split}/{name[0]}/{name[1]}/{name[2]}/{name}.jpg"


def world(folder, place=".", lists=tuple(LISTS), missing=()):
    (folder / place).mkdir(exist_ok=True)
    for name in lists:
        (folder / place / name).write_text(LISTS[name])
    images = {
        "train": (TRAIN_1, TRAIN_2, TRAIN_3),
        "index": (INDEX_17, INDEX_17B, INDEX_5, INDEX_FREE),
        "test": (ONE, TWO, IGNORED, NONE, EMPTY, UNLISTED),
    }
    for split, names in images.items():
        for name in names:
            path = folder / where(split, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if name not in missing:
                path.touch()
    return folder


def seen(folder):
    columns = ("class_key", "more_class_keys", "path", "split", "role", "reject_reason")
    return {row[2].split("/")[-1].removesuffix(".jpg"): row for row in read_rows(folder).select(columns).rows()}


def test_train_is_the_clean_list_with_ids_as_text(tmp_path):
    rows = seen(world(tmp_path))
    assert rows[TRAIN_1] == ("train-17", [], f"train/0/0/a/{TRAIN_1}.jpg", "train", "", None)
    assert rows[TRAIN_2] == ("train-17", [], f"train/0/0/0/{TRAIN_2}.jpg", "train", "", None)
    assert rows[TRAIN_3] == ("train-004", [], f"train/1/7/e/{TRAIN_3}.jpg", "train", "", None)


def test_index_landmarks_are_another_numbering_and_free_images_distract(tmp_path):
    rows = seen(world(tmp_path))
    assert rows[INDEX_17] == ("index-17", [], f"index/a/0/0/{INDEX_17}.jpg", "test", "index", None)
    assert rows[INDEX_5][0] == "index-5"
    assert rows[INDEX_FREE][0] == f"distractor-{INDEX_FREE}"
    assert rows[INDEX_FREE][3:] == ("test", "index", None)


def test_a_query_has_the_landmarks_of_its_index_images_in_their_order(tmp_path):
    rows = seen(world(tmp_path))
    assert rows[ONE] == ("index-17", [], where("test", ONE), "test", "query", None)
    assert rows[TWO] == ("index-5", ["index-17"], where("test", TWO), "test", "query", None)


def test_queries_that_cannot_be_scored_are_counted_rejects(tmp_path):
    rows = read_rows(world(tmp_path)).filter(~ACCEPTED).select("class_key", "reject_reason", "reject_detail")
    assert rows.rows() == [
        (f"unscored-{IGNORED}", "query not scored", "Usage: Ignored"),
        (f"unscored-{NONE}", "query without a landmark", "Usage: Public"),
        (f"unscored-{EMPTY}", "query without a landmark", "Usage: Private"),
        (f"unscored-{UNLISTED}", "query not scored", "Usage: not in the solution"),
    ]


def test_the_recognition_solution_has_no_influence(tmp_path):
    before = seen(world(tmp_path))
    (tmp_path / "recognition_solution_v2.1.csv").write_text(RECOGNITION)
    assert seen(tmp_path) == before


def test_the_recognition_solution_cannot_stand_in_for_the_retrieval_solution(tmp_path):
    world(tmp_path, lists=[name for name in LISTS if not name.startswith("retrieval")])
    (tmp_path / "recognition_solution_v2.1.csv").write_text(RECOGNITION)
    with pytest.raises(ConfigError, match=r"not retrieval_solution_v2.1.csv.*landmark numbers of the train set"):
        read_rows(tmp_path)


@pytest.mark.parametrize("place", ["metadata", "ground_truth"])
def test_lists_may_lie_in_their_own_folders(tmp_path, place):
    assert len(seen(world(tmp_path, place))) == 13


def test_train_alone_is_enough(tmp_path):
    assert set(seen(world(tmp_path, lists=["train_clean.csv"]))) == {TRAIN_1, TRAIN_2, TRAIN_3}


def test_some_of_the_evaluation_lists_are_not(tmp_path):
    with pytest.raises(ConfigError, match=r"has index.csv, but not index_image_to_landmark.csv, test.csv, retr"):
        read_rows(world(tmp_path, lists=["train_clean.csv", "index.csv"]))


def test_no_train_list_names_all_places(tmp_path):
    with pytest.raises(ConfigError, match=r"no train_clean.csv, looked for .*metadata.*ground_truth.*to get it"):
        read_rows(world(tmp_path, lists=["index.csv"]))


def test_a_listed_file_that_is_not_there(tmp_path):
    rows = seen(world(tmp_path, missing=(TRAIN_2, INDEX_5, ONE, IGNORED)))
    missing = {name for name, row in rows.items() if row[5] == "missing file"}
    assert missing == {TRAIN_2, INDEX_5, ONE}  # the ignored query keeps its first reason
    assert rows[IGNORED][5] == "query not scored"


def test_a_solution_of_other_images_is_an_error(tmp_path):
    (world(tmp_path) / "test.csv").write_text(f"id\n{ONE}\n")
    with pytest.raises(ConfigError, match=r"4 id\(s\) of retrieval_solution_v2.1.csv are not in test.csv"):
        read_rows(tmp_path)


def test_the_rows_pass_the_splits_and_every_query_finds_an_answer(tmp_path):
    catalogue = make_catalogue(read_rows(world(tmp_path)), "gldv2", "landmarks", "gldv2")
    settled = settle_queries(assign_splits(catalogue, {"gldv2": SplitRule("official", val_fraction=0.5)}, seed=0))
    asking = settled.filter(ACCEPTED, pl.col("role") == "query")
    assert sorted(asking["class_key"]) == ["index-17", "index-5"]
    assert settled.filter(split="val")["class_key"].unique().to_list() == ["train-17"]
