"""iNaturalist 2018 in miniature, with its own two lists or with either split for retrieval."""

from collections.abc import Sequence

from data_prep.miniature.creatures import KINDS, kind_of
from data_prep.miniature.raw_data import Photo, RawDataSet, design_streams, stream
from data_prep.miniature.small_sets import damaged, json_text, n_small_classes, plain_lines, shots
from data_prep.miniature.textures import word

SOURCE = "inat2018"
N_SPECIES = 8142
SPLITS = ("", "retrieval", "uned")
VAL_VIEWS = 2  # of each species, the last so many pictures stand in val2018.json


def inat2018(seed: int, scale: float, split: str = "") -> RawDataSet:
    """`{train,val}2018.json` (COCO-like), pictures `train_val2018/<supercategory>/<category id>/<hash>.jpg`.

    The numbers of pictures are those of one list, annotations are in no order and have numbers that are other
    pictures' ids, the species begin with 0 and are hidden behind numbers as names. The test pictures are in no list.

    Args:
        split: '' for the two lists, which share all species; 'retrieval': also `Inat_dataset_splits/`, where they
            do not; 'uned': also UnED's `info_files/`, with class ids of its own and a val part.
    """
    rng = stream(seed, SOURCE, 0)
    n = n_small_classes(scale)
    numbers = [0, *sorted((1 + rng.choice(N_SPECIES - 1, n - 1, replace=False)).tolist())]
    photos: list[Photo] = []
    for item, number in enumerate(numbers):
        folder = f"train_val2018/{KINDS[kind_of(design_streams(seed, SOURCE, item)[0])]}/{number}"
        part, role, class_key = _placed(item, n, number, split)
        names = [f"{folder}/{rng.bytes(16).hex()}.jpg" for _ in range(5 + item % 2)]
        photos += shots("creatures", item, class_key, names, part, role)
    photos = damaged(photos, ("grey", "missing", "truncated", "missing", "duplicate"))
    files = _json_lists(photos, rng.permutation(len(photos)).tolist())
    files["categories.json"] = json_text([{"id": number, "name": word(rng, 4).title()} for number in numbers])
    if split == "retrieval":
        files |= _split_lists(photos)
    if split == "uned":
        files |= _uned_lists(photos)
    unread = [Photo("test2018/0a1b.jpg", "unlabelled", 0, 50, "field", listed=False, artist="creatures")]
    return RawDataSet(SOURCE, photos + unread, files)


def _placed(item: int, n: int, number: int, split: str) -> tuple[str, str, str]:
    """Split, role and class of a species: half of them are for testing in a split for retrieval."""
    if not split:
        return "train", "", str(number)
    is_test = item >= n - n // 2
    if split == "retrieval":
        return ("test", "both", str(number)) if is_test else ("train", "", str(number))
    part = "test" if is_test else "val" if item == 0 else "train"
    return part, "" if part == "train" else "both", str(n - 1 - item)


def _json_lists(photos: Sequence[Photo], order: Sequence[int]) -> dict[str, bytes]:
    """Both lists; `order` says in which order pictures and, backwards, annotations are listed."""
    views = {photo.path: k for k, photo in enumerate(photos)}
    last = {photo.path.split("/")[2]: k for k, photo in enumerate(photos)}  # by species: its last picture
    parts: dict[str, list[Photo]] = {"train": [], "val": []}
    for k in order:
        photo = photos[k]
        in_val = views[photo.path] > last[photo.path.split("/")[2]] - VAL_VIEWS
        parts["val" if in_val else "train"].append(photo)
    folders = {photo.path.split("/")[2]: photo.path.split("/")[1] for photo in photos}
    categories = [{"id": int(name), "name": name, "supercategory": kind} for name, kind in folders.items()]
    return {f"{part}2018.json": json_text(_coco(inside, categories)) for part, inside in parts.items()}


def _coco(photos: list[Photo], categories: list[dict]) -> dict[str, object]:
    images = [
        {"id": k, "file_name": photo.path, "width": 800, "height": 600, "license": 3, "rights_holder": "a person"}
        for k, photo in enumerate(photos)
    ]
    annotations = [
        {"id": len(photos) - 1 - k, "image_id": k, "category_id": int(photo.path.split("/")[2])}
        for k, photo in reversed(list(enumerate(photos)))
    ]
    annotations.append(annotations.pop(0))
    return {"info": {"year": 2018}, "images": images, "annotations": annotations, "categories": categories}


def _split_lists(photos: list[Photo]) -> dict[str, bytes]:
    return {
        f"Inat_dataset_splits/Inaturalist_{part}_set1.txt": plain_lines(
            f"Inaturalist/{photo.path}" for photo in photos if photo.split == part
        )
        for part in ("train", "test")
    }


def _uned_lists(photos: list[Photo]) -> dict[str, bytes]:
    return {
        f"info_files/{part}.json": json_text(
            [
                {"path": f"inat/iNaturalist/{photo.path}", "class_id": int(photo.class_key)}
                for photo in photos
                if photo.split == part
            ]
        )
        for part in ("train", "val", "test")
    }


LAYOUTS = {SOURCE: inat2018}
