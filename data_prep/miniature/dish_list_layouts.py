"""Food-101, FoodX-251, MAFood-121 and Food Recognition 2022 in miniature: dishes by text lists and by COCO."""

from dataclasses import replace

from data_prep.miniature.raw_data import GROUND_PX, Part, Photo, RawDataSet, stream
from data_prep.miniature.small_sets import (
    boxed,
    csv_text,
    damaged,
    fractional_coco,
    json_text,
    n_small_classes,
    plain_lines,
    scene,
    shots,
)
from data_prep.miniature.textures import word

# One picture of each of these is turned away by a public loader of the real set.
DAMAGED_IDS = {"lasagna": "3787908", "steak": "1340977", "bread_pudding": "1375816"}
MORE_DISHES = ("apple_pie", "waffles", "beet_salad")
PLACES_OF_FOOD_RECOGNITION = ("raw_data/public_training_set_release_2.0/", "raw_data/public_validation_set_2.0/")
SEVERAL, NOTHING = "several things in one picture", "nothing annotated"


def food101(seed: int, scale: float) -> RawDataSet:
    """`meta/{train,test}.txt` and `.json` without suffixes, `images/<class>/<id>.jpg`; all dishes in both lists.

    An id may be that of two dishes, and begin with 0. One picture is in no list.
    """
    rng = stream(seed, "food101", 0)
    names = [*DAMAGED_IDS, *MORE_DISHES]
    names += [f"{word(rng, 2)}_{word(rng, 2)}{k}" for k in range(n_small_classes(scale))]
    names = names[: n_small_classes(scale)]
    photos: list[Photo] = []
    for item, name in enumerate(names):
        ids = [f"{number:07d}" for number in (12, 1005649, *rng.choice(9_000_000, 4, replace=False).tolist())]
        ids[-1] = DAMAGED_IDS.get(name, ids[-1])
        photos += shots("dishes", item, name, [f"images/{name}/{number}.jpg" for number in ids])
    photos = damaged(photos, ("truncated", "html", "empty", "missing", "duplicate"))
    in_no_list = replace(photos[1], path=f"images/{photos[0].class_key}/777.jpg", view=40, listed=False)
    files = {
        "meta/classes.txt": plain_lines(sorted(names)),
        "meta/labels.txt": plain_lines(name.replace("_", " ").capitalize() for name in sorted(names)),
    }
    for part, kept in (("train", (0, 1, 2, 5)), ("test", (3, 4))):
        lines = [_without_suffix(photo) for k, photo in enumerate(photos) if k % 6 in kept]
        by_name = {name: [line for line in lines if line.startswith(f"{name}/")] for name in names}
        files |= {f"meta/{part}.txt": plain_lines(lines), f"meta/{part}.json": json_text(by_name)}
    return RawDataSet("food101", [*photos, in_no_list], files)


def _without_suffix(photo: Photo) -> str:
    return photo.path.removeprefix("images/").removesuffix(".jpg")


def foodx251(seed: int, scale: float, kaggle: bool = False) -> RawDataSet:
    """Lists without header in `annot/`; `kaggle`: lists with one, under other names, beside the pictures.

    Numbers of dishes begin with 0. Pictures of the test part have no label, and the list of them no column for it.
    """
    rng = stream(seed, "foodx251", 0)
    photos: list[Photo] = []
    for item in range(n_small_classes(scale)):
        train = [f"train_set/train_{6 * item + k:05d}.jpg" for k in range(4)]
        val = [f"val_set/val_{6 * item + k:05d}.jpg" for k in range(2)]
        photos += shots("dishes", item, str(12 * item), train + val)
    photos = damaged(photos, ("truncated", "missing", "html"), lambda photo: photo.path.startswith("train"))
    photos = [photos[k] for k in rng.permutation(len(photos)).tolist()]
    unread = [
        Photo(f"test_set/test_{k:05d}.jpg", "unlabelled", k, 50, "phone", listed=False, artist="dishes")
        for k in range(2)
    ]
    folder, ending, header = ("", "labels", [("img_name", "label")]) if kaggle else ("annot/", "info", [])
    files = {f"{folder}class_list.txt": plain_lines(f"{12 * k} {word(rng, 3)}" for k in range(len(photos) // 6))}
    for part in ("train", "val"):
        inside = [photo for photo in photos if photo.path.startswith(f"{part}_set/")]
        rows = [(photo.path.split("/")[1], photo.class_key) for photo in inside]
        files[f"{folder}{part}_{ending}.csv"] = csv_text([*header, *rows])
    files[f"{folder}test_info.csv"] = plain_lines(photo.path.split("/")[1] for photo in unread)
    return RawDataSet("foodx251", photos + unread, files)


def mafood121(seed: int, scale: float, beside: bool = False) -> RawDataSet:
    """`annotations/<part>.txt`, its dishes line by line in `<part>_lbls_d.txt`; `beside`: no val, no `annotations/`.

    The numbers follow `dishes.txt`, which is not in the order of the alphabet. The lists of food families hold
    several numbers a line. Names of pictures repeat in every folder.
    """
    rng = stream(seed, "mafood121", 0)
    names = [f"{word(rng, 2)}_{word(rng, 1)}" for _ in range(n_small_classes(scale))]
    names.sort(reverse=True)
    photos: list[Photo] = []
    for number, name in enumerate(names):
        photos += shots("dishes", number, str(number), [f"images/{name}{number}/{k}.jpg" for k in range(6)])
    photos = damaged(photos, ("missing", "truncated", "grey", "duplicate"))
    order = rng.permutation(len(photos)).tolist()
    parts = {"train": order[::2], "test": order[1::2]} if beside else {
        "train": order[::2], "val": order[1::4], "test": order[3::4]
    }  # fmt: skip
    folder = "" if beside else "annotations/"
    files = {f"{folder}dishes.txt": plain_lines(f"{name}{k}" for k, name in enumerate(names))}
    for part, positions in parts.items():
        inside = [photos[k] for k in positions]
        families = [f"{int(photo.class_key) // 2},9" for photo in inside]  # two dishes are of the same ones
        files |= {
            f"{folder}{part}.txt": plain_lines(photo.path.removeprefix("images/") for photo in inside),
            f"{folder}{part}_lbls_d.txt": plain_lines(photo.class_key for photo in inside),
            f"{folder}{part}_lbls_ff.txt": plain_lines(families),
        }
    return RawDataSet("mafood121", photos, files)


def food_recognition2022(seed: int, scale: float, one_folder: bool = False) -> RawDataSet:
    """`annotations.json` (COCO) beside `images/`, for train and val below `raw_data/`; `one_folder`: train alone.

    Numbers of pictures are those of one list and of categories have gaps; annotations are in no order, and their
    own ids are other pictures' ids. Of each list's pictures one shows two foods, one shows one food twice and one has
    no annotation. Boxes are [x, y, width, height] with fractions; one has no width.
    """
    rng = stream(seed, "food_recognition2022", 0)
    categories = [1000 + 58 * k for k in range(n_small_classes(scale))]
    photos: list[Photo] = []
    files = {}
    for which, place in enumerate(("",) if one_folder else PLACES_OF_FOOD_RECOGNITION):
        inside = _meals(place, which, categories)
        files[f"{place}annotations.json"] = json_text(_coco(inside, categories, rng.permutation(len(inside)).tolist()))
        photos += inside
    return RawDataSet("food_recognition2022", photos, files)


def _meals(place: str, which: int, categories: list[int]) -> list[Photo]:
    """The photos of one list; names of pictures repeat in the other list."""
    inside: list[Photo] = []
    for item, category in enumerate(categories):
        names = [f"{place}images/{10 * item + 3 * which + k:06d}.jpg" for k in range(5 - 2 * which)]
        inside += [boxed(photo) for photo in shots("dishes", item, str(category), names)]
    first, second = str(categories[0]), str(categories[1])
    two = [(second, 1, (12, 18, 160, 140)), (first, 0, (150, 150, 320, 280))]
    inside[0] = replace(scene(inside[0], two), class_key=f"several {which}", reason=SEVERAL)
    inside[1] = scene(inside[1], [(first, 0, (10, 20, 150, 170)), (first, 0, (170, 40, 300, 240))])
    inside[-1] = replace(inside[-1], class_key=f"nothing {which}", reason=NOTHING, parts=())
    without_width = Part(second, 1, 0, "menu", (40, 50, 40, 90), "empty box")
    inside[-2] = replace(inside[-2], parts=(*inside[-2].parts, replace(without_width, class_key=inside[-2].class_key)))
    twice = inside[1].path
    kinds = ("missing",) if which else ("missing", "truncated", "empty")
    return damaged(inside, kinds, lambda photo: photo.path != twice)


def _coco(photos: list[Photo], categories: list[int], ids: list[int]) -> dict[str, object]:
    """The tree of a COCO file; picture k gets the number ids[k]."""
    width, height = GROUND_PX
    images = [
        {"id": ids[k], "file_name": photo.path.rpartition("/")[2], "width": width, "height": height}
        for k, photo in enumerate(photos)
    ]
    found = [(int(part.class_key), ids[k], part) for k, photo in enumerate(photos) for part in photo.parts]
    found.sort(key=lambda entry: (-entry[0], entry[1]))
    annotations = [
        {"id": n, "image_id": image, "category_id": food, "bbox": fractional_coco(part.box), "area": 1.0, "iscrowd": 0}
        for n, (food, image, part) in enumerate(found)
    ]
    named = [{"id": number, "name": f"food-{number}", "supercategory": "food"} for number in categories]
    return {"info": {}, "images": images, "annotations": annotations, "categories": named}


LAYOUTS = {
    "food101": food101,
    "foodx251": foodx251,
    "mafood121": mafood121,
    "food_recognition2022": food_recognition2022,
}
