"""The six miniatures in the on-disk layouts and annotation formats of the data sets they stand in for, quirks included.

Each function plans one data set from a seed and a scale (1.0: the quickstart's size); nothing is drawn here.
"""

import io
import json
from collections.abc import Callable, Sequence

import numpy as np

from data_prep.miniature import cars, garments, photograph, shop_items, textures
from data_prep.miniature.raw_data import DEFECTS, Photo, RawDataSet, design_streams, photo_stream, stream, with_defects

# Classes at scale 1.0; for data sets with official splits the first half of them is for training.
N_CLASSES = {"products_10k": 66, "stanford_products": 84, "stanford_cars": 60, "deepfashion_inshop": 78, "gldv2": 66, "met": 78}
MIN_CLASSES = 16  # room for every defect
N_CAR_CLASSES = 196
LAST_TRAIN_CAR = 98
N_UNSCORED = {"None": 6, "": 2, "Ignored": 3}  # landmark queries without an answer: how the solution says so
N_INDEX_DISTRACTORS = 4
N_MET_DISTRACTORS = {"test_other": 5, "test_noart": 4}
N_MET_SINGLES = 14  # exhibits with one photograph, as most of the real set are
EBAY_KINDS = ("bicycle", "cabinet", "chair", "coffee_maker", "fan", "kettle", "lamp", "mug", "sofa", "stapler", "table", "toaster")
POSE_NUMBERS = {"front": 1, "side": 2, "back": 3, "full": 4, "additional": 7}


def _n_classes(source: str, scale: float) -> int:
    """An even number of classes, so that halves are equal."""
    return max(MIN_CLASSES, 2 * round(N_CLASSES[source] * scale / 2))


def _finish(source: str, seed: int, photos: list[Photo]) -> list[Photo]:
    return with_defects(photos, DEFECTS[source], stream(seed, source, 0, 0, 0, 5))


def _table(header: str, rows: Sequence[str]) -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()


def products_10k(seed: int, scale: float) -> RawDataSet:
    """`train.csv` name,class,group and `test_kaggletest.csv` name,class,Usage; both halves hold all classes.

    File names are numbers with gaps; some names are in both folders.
    """
    source, rng = "products_10k", stream(seed, "products_10k", 0, 0, 0, 4)
    photos, number = [], 0
    for item in range(_n_classes(source, scale)):
        n_train = int(rng.integers(6, 10))
        for view in range(n_train + 2):
            number += int(rng.integers(1, 4))
            folder = "train" if view < n_train else "test"
            style = "shop" if rng.random() < 0.35 else "home"
            photos.append(Photo(f"{folder}/{number if folder == 'train' else item * 2 + view - n_train + 3}.jpg", str(item), item, view, style))
    photos = _finish(source, seed, photos)
    rows: dict[str, list[str]] = {"train": [], "test": []}
    for photo in photos:
        folder, name = photo.path.split("/")
        last = str(photo.item // 6) if folder == "train" else ("Public", "Private")[photo.view % 2]
        rows[folder].append(f"{name},{photo.class_key},{last}")
    files = {"train.csv": _table("name,class,group", rows["train"]), "test_kaggletest.csv": _table("name,class,Usage", rows["test"])}
    return RawDataSet(source, photos, files)


def stanford_products(seed: int, scale: float) -> RawDataSet:
    """`Ebay_train.txt`, `Ebay_test.txt`: parted by spaces, suffix .JPG; class numbers run on from train to test.

    The first item of every kind carries the same eBay number, so file names repeat between folders.
    """
    source, rng = "stanford_products", stream(seed, "stanford_products", 0, 0, 0, 4)
    n_classes = _n_classes(source, scale)
    photos, kinds, seen = [], [], set()
    for item in range(n_classes):
        kind = shop_items.category_of(design_streams(seed, source, item)[0])
        ebay = 110_000_000_000 + (0 if kind not in seen else 7 * item + 13)
        seen.add(kind)
        for view in range(int(rng.integers(5, 8))):
            style = "shop" if rng.random() < 0.35 else "home"
            split = "train" if item < n_classes // 2 else "test"
            photos.append(Photo(f"{kind}_final/{ebay}_{view}.JPG", str(item + 1), item, view, style, split))
            kinds.append(EBAY_KINDS.index(kind) + 1)
    photos = _finish(source, seed, photos)
    files = {}
    for split in ("train", "test"):
        rows = [f"{n} {photo.class_key} {kind} {photo.path}" for n, (photo, kind) in enumerate(zip(photos, kinds, strict=True), 1) if photo.split == split]
        files[f"Ebay_{split}.txt"] = _table("image_id class_id super_class_id path", rows)
    return RawDataSet(source, photos, files)


def stanford_cars(seed: int, scale: float, merged: bool = False) -> RawDataSet:
    """`.mat` annotations, classes from 1; published layout, or the merged one (`car_ims/`, `cars_annos.mat`).

    Both published folders number their files from 00001 and hold all classes. Beyond 196 classes only the number of
    photos grows.
    """
    source, rng = "stanford_cars", stream(seed, "stanford_cars", 0, 0, 0, 4)
    half = min(LAST_TRAIN_CAR, _n_classes(source, scale) // 2)
    per_class = max(1.0, N_CLASSES[source] * scale / N_CAR_CLASSES)
    numbers = [int(k) + start for start in (1, LAST_TRAIN_CAR + 1) for k in sorted(rng.choice(LAST_TRAIN_CAR, half, replace=False))]
    plan = [(number, item, view) for item, number in enumerate(numbers) for view in range(int(rng.integers(9, 12) * per_class))]
    photos, taken = [], {"cars_train": 0, "cars_test": 0}
    for position in rng.permutation(len(plan)).tolist():
        number, item, view = plan[position]
        folder = "cars_train" if view % 2 == 0 else "cars_test"
        taken[folder] += 1
        path = f"car_ims/{len(photos) + 1:06d}.jpg" if merged else f"{folder}/{taken[folder]:05d}.jpg"
        style = "showroom" if rng.random() < 0.35 else "road"
        photos.append(Photo(path, str(number), item, view, style, "train" if number <= LAST_TRAIN_CAR else "test"))
    photos = _finish(source, seed, photos)
    files = {"devkit/cars_meta.mat": _mat(class_names=np.array([_car_name(seed, k) for k in range(N_CAR_CLASSES)], dtype=object))}
    if merged:
        files["cars_annos.mat"] = _mat(annotations=_boxes(seed, photos, "relative_im_path", test=[photo.view % 2 for photo in photos]))
    else:
        for folder, name in (("cars_train", "cars_train_annos"), ("cars_test", "cars_test_annos_withlabels")):
            files[f"devkit/{name}.mat"] = _mat(annotations=_boxes(seed, [photo for photo in photos if photo.path.startswith(folder)], "fname"))
    return RawDataSet(source, photos, files)


def _car_name(seed: int, number: int) -> str:
    rng = stream(seed, "stanford_cars", number, 0, 0, 6)
    return f"{textures.word(rng, 2).title()} {textures.word(rng, 2).title()} {rng.integers(1991, 2013)}"


def _boxes(seed: int, photos: Sequence[Photo], name_field: str, **more: Sequence[int]) -> np.ndarray:
    """The struct array `annotations`; boxes span the whole picture."""
    fields = [*(f"bbox_{corner}" for corner in ("x1", "y1", "x2", "y2")), "class", name_field, *more]
    rows = np.zeros((1, len(photos)), dtype=[(name, object) for name in fields])
    for k, photo in enumerate(photos):
        height, width = photograph.photo_size(photo_stream(seed, "stanford_cars", photo), cars.ASPECT)
        name = photo.path if name_field == "relative_im_path" else photo.path.split("/")[-1]
        numbers = (1, 1, width, height, int(photo.class_key))
        rows[0, k] = (*(np.uint16(value) for value in numbers), name, *(np.uint8(values[k]) for values in more.values()))
    return rows


def _mat(**variables: np.ndarray) -> bytes:
    """Bytes of a .mat file; its header carries the time of writing, which is blotted out."""
    from scipy.io import savemat  # slow to import

    stream_out = io.BytesIO()
    savemat(stream_out, variables)
    content = stream_out.getvalue()
    return b"MATLAB 5.0 MAT-file, miniature".ljust(116) + content[116:]


def deepfashion_inshop(seed: int, scale: float) -> RawDataSet:
    """`Eval/list_eval_partition.txt`: number of rows, header, padded columns; base names repeat in every folder."""
    source, rng = "deepfashion_inshop", stream(seed, "deepfashion_inshop", 0, 0, 0, 4)
    n_classes = _n_classes(source, scale)
    photos, statuses = [], []
    for item in range(n_classes):
        kind, n_colours = garments.kind_and_colours(*design_streams(seed, source, item))
        sex = "MEN" if kind not in ("Dresses", "Skirts") and rng.random() < 0.4 else "WOMEN"
        item_id = f"id_{3 * item + 7:08d}"
        shots = [(colour, pose) for colour in range(n_colours) for pose in POSE_NUMBERS if not colour or rng.random() < 0.6]
        asks = set(rng.choice(len(shots), len(shots) // 3 + 1, replace=False).tolist())
        for view, (colour, pose) in enumerate(shots):
            path = f"img/{sex}/{kind}/{item_id}/{colour + 1:02d}_{POSE_NUMBERS[pose]}_{pose}.jpg"
            train = item < n_classes // 2
            photos.append(Photo(path, item_id, item, view, f"{colour}:{pose}", "train" if train else "test"))
            statuses.append("train" if train else "query" if view in asks else "gallery")
    photos = _finish(source, seed, photos)
    rows = [f"{photo.path:<70}{photo.class_key:<16}{status}" for photo, status in zip(photos, statuses, strict=True)]
    listing = _table(str(len(rows)), [f"{'image_name':<70}{'item_id':<16}evaluation_status", *rows])
    return RawDataSet(source, photos, {"Eval/list_eval_partition.txt": listing})


def gldv2(seed: int, scale: float) -> RawDataSet:
    """Ids of 16 hex digits in folders of their first three; two numberings of landmarks that overlap; queries of all sorts.

    The last two index landmarks are one building under two numbers: its queries accept both.
    """
    source, rng = "gldv2", stream(seed, "gldv2", 0, 0, 0, 4)
    n_classes = _n_classes(source, scale)
    n_train = n_classes // 2
    landmarks = rng.choice(20 * n_classes, n_train, replace=False).tolist()  # the same numbers serve train and index
    photos: list[Photo] = []

    def shoot(folder: str, class_key: str, item: int, n_photos: int, first_view: int = 0) -> list[str]:
        ids = [_hex_id(rng, len(photos) + k) for k in range(n_photos)]
        for view, image_id in enumerate(ids, first_view):
            path = f"{folder}/{image_id[0]}/{image_id[1]}/{image_id[2]}/{image_id}.jpg"
            style = "evening" if rng.random() < 0.25 else "day"
            photos.append(Photo(path, class_key, item, view, style, "train" if folder == "train" else "test"))
        return ids

    train, index, queries = [], [], []
    for item, landmark in enumerate(landmarks):
        train.append((landmark, shoot("train", f"train-{landmark}", item, int(rng.integers(7, 10)))))
    for k, landmark in enumerate(landmarks):
        item = n_train + min(k, n_train - 2)
        index.append((landmark, shoot("index", f"index-{landmark}", item, int(rng.integers(5, 8)), 20 * (k == n_train - 1))))
    shared = index[-2][1] + index[-1][1]
    for k, landmark in enumerate(landmarks):
        twin = k >= n_train - 2
        for image_id in shoot("test", f"index-{landmark}", n_train + min(k, n_train - 2), 2 + k % 2, 10 + 20 * (k == n_train - 1)):
            queries.append((image_id, " ".join(shared if twin else index[k][1]), ("Public", "Private")[k % 2], landmarks[(k + 1) % n_train]))
    return RawDataSet(source, _finish(source, seed, photos), _landmark_lists(train, index, queries, shoot, n_classes)) if False else _gldv2_finish(
        source, seed, photos, train, index, queries, shoot, n_classes)
