"""Food2K and LargeFineFoodAI in miniature: a numbered folder for each dish, lists that are not to be read."""

from dataclasses import replace

from data_prep.miniature.raw_data import Photo, RawDataSet, stream
from data_prep.miniature.small_sets import damaged, json_text, n_small_classes, plain_lines, shots

N_FOOD2K_DISHES = 2000
N_KEPT_OF_TEST = 4  # pictures of a test class that UnED kept, the others being nearly the same or too many
DISH_NAMES = ("Mapo tofu", "Steamed egg", "Rice noodles, sour", "Crab -- salted", "Egg tart", "Wonton soup")


def food2k(seed: int, scale: float, uned: bool = False) -> RawDataSet:
    """`Food2k_complete/<0 to 1999>/<n>.jpg`; `uned`: with UnED's lists in `info_files/`.

    Names of pictures repeat in every folder, numbers have gaps and begin with 0. The lists beside the folders
    divide the pictures of every dish. UnED's lists divide the dishes, have class ids of their own and leave out
    some pictures of test dishes.
    """
    rng = stream(seed, "food2k", 0)
    between = rng.choice(N_FOOD2K_DISHES - 2, n_small_classes(scale) - 2, replace=False) + 1
    numbers = [0, *sorted(between.tolist()), N_FOOD2K_DISHES - 1]
    photos: list[Photo] = []
    for item, number in enumerate(numbers):
        paths = [f"Food2k_complete/{number}/{k}.jpg" for k in range(6)]
        photos += _uned_shots(item, len(numbers), paths) if uned else shots("dishes", item, str(number), paths)
    if uned:
        photos = damaged(photos, ("truncated", "missing", "missing", "duplicate"))
        return RawDataSet("food2k", photos, _uned_lists(photos))
    photos = damaged(photos, ("truncated", "html", "empty", "duplicate", "png", "grey"))
    return RawDataSet("food2k", photos, _lists_beside(photos, numbers))


def _uned_shots(item: int, n_dishes: int, paths: list[str]) -> list[Photo]:
    """The first half of the dishes in train, one in val, the others in test; ids count down."""
    n_train = n_dishes // 2
    split = "train" if item < n_train else "val" if item == n_train else "test"
    class_id, n_listed = str(n_dishes - 1 - item), N_KEPT_OF_TEST if split == "test" else len(paths)
    photos = shots("dishes", item, class_id, paths, split, "" if split == "train" else "both")
    left_out = [replace(photo, split="", role="", listed=False) for photo in photos[n_listed:]]
    return photos[:n_listed] + left_out


def _uned_lists(photos: list[Photo]) -> dict[str, bytes]:
    files = {}
    for split in ("train", "val", "test"):
        listed = [photo for photo in photos if photo.split == split]
        rows = [{"path": f"food2k/{photo.path}", "class_id": int(photo.class_key)} for photo in reversed(listed)]
        files[f"info_files/{split}.json"] = json_text(rows)
    return files


def _lists_beside(photos: list[Photo], numbers: list[int]) -> dict[str, bytes]:
    rows = [f"{photo.path.removeprefix('Food2k_complete/')} {photo.class_key}" for photo in photos]
    names = (f"{number}--{DISH_NAMES[k % len(DISH_NAMES)]}" for k, number in enumerate(numbers))
    return {
        "Food2k_complete/train_finetune.txt": plain_lines(row for k, row in enumerate(rows) if k % 3),
        "Food2k_complete/val_finetune.txt": plain_lines(row for k, row in enumerate(rows) if not k % 3),
        "Food2k_complete/food2k_label2name_en.txt": plain_lines(names),
    }


def largefinefoodai(seed: int, scale: float) -> RawDataSet:
    """`Train/<number>/<n>.jpg`, and `Val/` without folders, which says nothing about its dishes."""
    photos: list[Photo] = []
    for item in range(n_small_classes(scale)):
        number = 7 * item  # as text, 14 comes before 7
        photos += shots("dishes", item, str(number), [f"Train/{number}/{k}.jpg" for k in range(6)])
    photos = damaged(photos, ("empty", "truncated", "duplicate", "cmyk", "html"))
    unread = [Photo(f"Val/{k}.jpg", "unlabelled", k, 50, "menu", listed=False, artist="dishes") for k in range(3)]
    return RawDataSet("largefinefoodai", photos + unread)


LAYOUTS = {"food2k": food2k, "largefinefoodai": largefinefoodai}
