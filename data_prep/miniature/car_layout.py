"""Stanford Cars in miniature, in either of its two layouts: `.mat` annotations, classes counted from 1."""

import io
from collections.abc import Sequence

import numpy as np

from data_prep.miniature import cars, photograph, textures
from data_prep.miniature.raw_data import (
    N_CLASSES,
    Photo,
    RawDataSet,
    n_classes,
    n_train_classes,
    photo_stream,
    stream,
    with_defects,
)

SOURCE = "stanford_cars"
N_CAR_CLASSES = 196
LAST_TRAIN_CLASS = 98
BOX_FIELDS = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")


def stanford_cars(seed: int, scale: float, merged: bool = False) -> RawDataSet:
    """The published layout, or the merged one (`car_ims/` and `cars_annos.mat`).

    Both published folders number their files from 00001 and hold all classes. There are never more than 196
    classes: beyond that only the number of photos grows.
    """
    photos = _photos(seed, scale, merged)
    names = [_car_name(seed, number) for number in range(1, N_CAR_CLASSES + 1)]
    files = {"devkit/cars_meta.mat": _mat(class_names=np.array([names], dtype=object))}
    if merged:
        was_test = [photo.view % 2 for photo in photos]
        files["cars_annos.mat"] = _mat(
            annotations=_annotations(seed, photos, "relative_im_path", test=was_test)
        )
        return RawDataSet(SOURCE, photos, files)
    for folder, name in (("cars_train", "cars_train_annos"), ("cars_test", "cars_test_annos_withlabels")):
        inside = [photo for photo in photos if photo.path.startswith(folder)]
        files[f"devkit/{name}.mat"] = _mat(annotations=_annotations(seed, inside, "fname"))
    return RawDataSet(SOURCE, photos, files)


def _photos(seed: int, scale: float, merged: bool) -> list[Photo]:
    rng = stream(seed, SOURCE, 0, 0, 0, 4)
    n_train = n_train_classes(SOURCE, scale)
    numbers = []
    for first, wanted in ((1, n_train), (LAST_TRAIN_CLASS + 1, n_classes(SOURCE, scale) - n_train)):
        chosen = rng.choice(LAST_TRAIN_CLASS, min(LAST_TRAIN_CLASS, wanted), replace=False)
        numbers += [first + int(k) for k in sorted(chosen)]
    crowd = max(1.0, N_CLASSES[SOURCE] * scale / N_CAR_CLASSES)
    plan = [(item, view) for item in range(len(numbers)) for view in range(int(rng.integers(9, 12) * crowd))]
    photos: list[Photo] = []
    n_in = {"cars_train": 0, "cars_test": 0}
    for position in rng.permutation(len(plan)).tolist():
        item, view = plan[position]
        folder = "cars_test" if view % 2 else "cars_train"
        n_in[folder] += 1
        path = f"car_ims/{len(photos) + 1:06d}.jpg" if merged else f"{folder}/{n_in[folder]:05d}.jpg"
        split = "train" if numbers[item] <= LAST_TRAIN_CLASS else "test"
        style = "showroom" if rng.random() < 0.35 else "road"
        role = "both" if split == "test" else ""
        photos.append(Photo(path, str(numbers[item]), item, view, style, split, role=role))
    return with_defects(photos, SOURCE, seed)


def _car_name(seed: int, number: int) -> str:
    rng = stream(seed, SOURCE, number, 0, 0, 6)
    return f"{textures.word(rng, 2).title()} {textures.word(rng, 2).title()} {rng.integers(1991, 2013)}"


def _annotations(seed: int, photos: Sequence[Photo], name_field: str, **more: Sequence[int]) -> np.ndarray:
    """The struct array `annotations`, one row; every box spans its whole picture."""
    rows = np.zeros(
        (1, len(photos)), dtype=[(name, object) for name in (*BOX_FIELDS, "class", name_field, *more)]
    )
    for k, photo in enumerate(photos):
        height, width = photograph.photo_size(photo_stream(seed, SOURCE, photo), cars.ASPECT)
        name = photo.path if name_field == "relative_im_path" else photo.path.split("/")[1]
        numbers = [np.uint16(value) for value in (1, 1, width, height, int(photo.class_key))]
        rows[0, k] = (*numbers, name, *(np.uint8(values[k]) for values in more.values()))
    return rows


def _mat(**variables: np.ndarray) -> bytes:
    """Bytes of a .mat file; the time of writing in its header of 116 bytes is replaced."""
    from scipy.io import savemat  # slow to import

    buffer = io.BytesIO()
    savemat(buffer, variables)
    return b"MATLAB 5.0 MAT-file, rendered miniature".ljust(116) + buffer.getvalue()[116:]
