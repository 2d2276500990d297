"""Furniture in miniature: Furniture-180 and iMaterialist furniture 2018."""

from dataclasses import replace

from data_prep.miniature.raw_data import Photo, RawDataSet, stream
from data_prep.miniature.small_sets import damaged, json_text, n_small_classes, shots, unlisted


def furniture180(seed: int, scale: float) -> RawDataSet:
    """A folder a class; `001.jpg` in all of them, and suffixes .jpg, .JPG and .webp."""
    photos = []
    for item in range(n_small_classes(scale)):
        folder = f"{('sofa', 'arm chair')[item % 2]}_{item}"
        suffixes = ("jpg", "JPG", "webp", "jpg", "jpg")
        names = [f"{folder}/{number:03d}.{suffix}" for number, suffix in enumerate(suffixes, 1)]
        photos += shots("shop_items", item, folder, names)
    photos = [replace(photo, defect="webp") if photo.path.endswith(".webp") else photo for photo in photos]
    return RawDataSet("furniture180", damaged(photos, ("png", "truncated", "html", "duplicate")))


def imaterialist_furniture(seed: int, scale: float) -> RawDataSet:
    """`train.json` and `validation.json`: addresses and labels from 1; numbers start anew in each list.

    Images and annotations are in different orders. Of the addresses some are dead (no file), some gave a web
    page under the picture's name. `test.json` has no annotations, and its pictures are in no class.
    """
    rng = stream(seed, "imaterialist_furniture", 0)
    n_kinds = n_small_classes(scale)
    parts: dict[str, list[Photo]] = {"train": [], "validation": []}
    for part, n_each in (("train", 5), ("validation", 2)):
        kinds = rng.permutation([kind for kind in range(n_kinds) for _ in range(n_each)]).tolist()
        for image_id, kind in enumerate(kinds, 1):
            view = 2 * image_id + (part == "validation")  # no two pictures are alike
            path = f"{part}/{image_id}.jpg"
            parts[part].append(replace(shots("shop_items", kind, str(kind + 1), [path])[0], view=view))
    both = damaged(parts["train"] + parts["validation"], ("missing", "html", "html", "missing", "truncated", "empty"))
    strays = unlisted(shots("shop_items", 999, "of the test", ["test/1.jpg", "test/2.jpg"]))
    files = {}
    for part in ("train", "validation", "test"):
        inside = [photo for photo in both + strays if photo.path.startswith(f"{part}/")]
        rows = [(int(photo.path.split("/")[1][:-4]), photo) for photo in inside]
        images = [{"image_id": number, "url": [f"http://example.com/{number}.jpg"]} for number, _ in rows]
        tree: dict[str, object] = {"images": images}
        if part != "test":
            shuffled = [rows[k] for k in rng.permutation(len(rows)).tolist()]
            tree["annotations"] = [{"image_id": n, "label_id": int(photo.class_key)} for n, photo in shuffled]
        files[f"{part}.json"] = json_text(tree)
    return RawDataSet("imaterialist_furniture", both + strays, files)


LAYOUTS = {"furniture180": furniture180, "imaterialist_furniture": imaterialist_furniture}
