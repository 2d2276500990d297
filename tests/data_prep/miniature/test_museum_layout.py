import json
from collections import Counter

from data_prep.miniature.museum_layout import met


def lists():
    data = met(0, 1.0)
    return data, {
        name: json.loads(data.files[f"ground_truth/{name}.json"])
        for name in ("MET_database", "mini_MET_database", "testset", "valset")
    }


def test_paths_start_with_their_folder_and_base_names_repeat():
    data, found = lists()
    assert all(row["path"] == f"MET/{row['id']}/{row['path'].split('/')[2]}" for row in found["MET_database"])
    names = Counter(row["path"].split("/")[-1] for row in found["MET_database"])
    assert names["0.jpg"] == 78 + 14
    listed = {
        f"images/{row['path']}" for name in ("MET_database", "testset", "valset") for row in found[name]
    }
    assert listed == {photo.path for photo in data.photos}


def test_singles_and_the_small_database():
    _, found = lists()
    n_photos = Counter(row["id"] for row in found["MET_database"])
    assert list(n_photos.values()).count(1) == 14 and max(n_photos.values()) <= 5
    assert {row["id"] for row in found["mini_MET_database"]} == {
        met_id for met_id, n in n_photos.items() if n > 1
    }


def test_visitors_photograph_exhibits_and_other_things():
    _, found = lists()
    queries = found["testset"] + found["valset"]
    exhibits = [row for row in queries if "MET_id" in row]
    assert {row["MET_id"] for row in exhibits} < {row["id"] for row in found["MET_database"]}
    assert all(row["path"].startswith("test_met/") for row in exhibits)
    others = Counter(row["path"].split("/")[0] for row in queries if "MET_id" not in row)
    assert others == {"test_other": 5, "test_noart": 4}
    assert found["valset"] and not {row.get("MET_id") for row in found["valset"]} & {
        row["MET_id"] for row in found["testset"] if "MET_id" in row
    }


def test_no_query_is_defective():
    data, _ = lists()
    assert {photo.path.split("/")[1] for photo in data.photos if photo.defect} == {"MET"}
