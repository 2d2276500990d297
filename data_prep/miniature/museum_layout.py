"""The Met in miniature: JSON lists of the database and of visitors' photos, distractors without a MET_id."""

import json

from data_prep.miniature.raw_data import Photo, RawDataSet, n_classes, stream, with_defects

SOURCE = "met"
N_DISTRACTORS = {"test_other": 5, "test_noart": 4}  # queries that show no exhibit of the museum
N_SINGLES = 14  # exhibits with one photograph, as most of the real set's are
VALIDATION_EVERY = 6  # every so many photographed exhibits, the queries are in valset.json


def met(seed: int, scale: float) -> RawDataSet:
    """`ground_truth/{MET_database,mini_MET_database,testset,valset}.json`; paths start below `images/`.

    Base names repeat: the database counts from 0 in every exhibit's folder. Four exhibits of five were
    photographed by visitors, twice or three times.
    """
    rng = stream(seed, SOURCE, 0, 0, 0, 4)
    n = n_classes(SOURCE, scale)
    ids = sorted(rng.choice(700_000, n + N_SINGLES, replace=False).tolist())
    singles = set(rng.choice(n + N_SINGLES, N_SINGLES, replace=False).tolist())
    photos, lists = [], []
    for item, met_id in enumerate(ids):
        n_own = 1 if item in singles else int(rng.integers(3, 6))
        n_asked = 0 if item in singles or item % 5 == 4 else int(rng.integers(2, 4))
        for view in range(n_own + n_asked):
            asked = view >= n_own
            name = f"test_met/{rng.bytes(6).hex()}" if asked else f"MET/{met_id}/{view}"
            style, role = ("visitor", "query") if asked else ("catalogue", "index")
            photos.append(Photo(f"images/{name}.jpg", str(met_id), item, view, style, role=role))
            lists.append(
                "valset" if asked and item % VALIDATION_EVERY == 0 else "testset" if asked else "MET_database"
            )
    for k, folder in enumerate(folder for folder, number in N_DISTRACTORS.items() for _ in range(number)):
        path, why = f"images/{folder}/{k}.jpg", "query without a MET_id"
        photos.append(Photo(path, "distractor", len(ids) + k, 0, "visitor", role="query", reason=why))
        lists.append("testset" if k % 2 else "valset")
    photos = _damaged(photos, lists, seed)
    return RawDataSet(SOURCE, photos, _json_lists(photos, lists, singles))


def _damaged(photos: list[Photo], lists: list[str], seed: int) -> list[Photo]:
    """Defects fall on the museum's own photos, so that no query is lost with its only answer."""
    own = [k for k, name in enumerate(lists) if name == "MET_database"]
    damaged = list(photos)
    for k, photo in zip(own, with_defects([photos[k] for k in own], SOURCE, seed), strict=True):
        damaged[k] = photo
    return damaged


def _json_lists(photos: list[Photo], lists: list[str], singles: set[int]) -> dict[str, bytes]:
    rows: dict[str, list[dict]] = {
        name: [] for name in ("MET_database", "mini_MET_database", "testset", "valset")
    }
    for photo, name in zip(photos, lists, strict=True):
        path = photo.path.removeprefix("images/")
        if name == "MET_database":
            rows[name].append({"id": int(photo.class_key), "path": path})
            if photo.item not in singles:
                rows["mini_MET_database"].append(rows[name][-1])
        elif photo.class_key == "distractor":
            rows[name].append({"path": path})
        else:
            rows[name].append({"path": path, "MET_id": int(photo.class_key)})
    return {f"ground_truth/{name}.json": json.dumps(found).encode() for name, found in rows.items()}
