"""CompCars and VMMRdb in miniature: make, model and year in the names of folders."""

import io

import numpy as np

from data_prep.miniature.raw_data import Photo, RawDataSet, stream
from data_prep.miniature.small_sets import damaged, n_small_classes, plain_lines, shots
from data_prep.miniature.textures import word

N_MAKES, N_MODELS = 163, 2004
MODEL_YEARS = ((78, 1, 2009), (78, 1, 2010), (78, 3, 2010), (3, 9, 2010), (3, 9, 2009), (1, 12, 2014))
UNKNOWN_YEAR = "year unknown"
# Spaces and underscores in makes and models; two models of one make, two years of one model, one name in another.
ADVERTISED = (
    "land rover_range rover_2006",
    "land rover_range rover_2007",
    "mercedes benz_c_class_2007",
    "mercedes benz_c_2007",
    "honda_civic_1999",
    "honda_civic hybrid_1999",
)


def compcars(seed: int, scale: float) -> RawDataSet:
    """`data/image/<make>/<model>/<year>/<hash>.jpg`, ids counted from 1, with a text file for each in `data/label/`.

    One model stands in several years and a year in several models; the year may be 'unknown', a make's id is also
    a model's, and names of pictures repeat. The lists in `train_test_split/` hold only some of them. Pictures of
    surveillance cameras and of parts of cars lie in other folders, and are not to be read.
    """
    rng = stream(seed, "compcars", 0)
    photos: list[Photo] = []
    for item in range(n_small_classes(scale)):
        make, model, year = MODEL_YEARS[item] if item < len(MODEL_YEARS) else (160, 100 + item, 2015)
        folder = f"data/image/{make}/{model}/{year}"
        names = ["00a1b2c3d4e5f6.jpg", *(f"{rng.bytes(7).hex()}.jpg" for _ in range(5))]
        photos += shots("cars", item, f"{make}/{model}/{year}", [f"{folder}/{name}" for name in names])
    photos = damaged(photos, ("truncated", "grey", "empty", "duplicate"))
    unknown = [
        Photo(f"data/image/78/1/unknown/{k}{rng.bytes(6).hex()}.jpg", "78/1/unknown", k, 40, "road", "train",
              reason=UNKNOWN_YEAR, artist="cars")
        for k in range(2)
    ]  # fmt: skip
    unread = [
        Photo(f"{folder}/{k}.jpg", "other", k, 50, "road", listed=False, artist="cars")
        for k, folder in enumerate(("data/part/78/1/2009/1", "sv_data/image/1"))
    ]
    return RawDataSet("compcars", [*photos, *unknown, *unread], _compcars_files(photos + unknown))


def _compcars_files(photos: list[Photo]) -> dict[str, bytes]:
    """Viewpoint, 1 and a box of each picture; the lists of a split, in which both halves hold all classes."""
    inside = [photo.path.removeprefix("data/image/") for photo in photos]
    files = {f"data/label/{path.removesuffix('.jpg')}.txt": plain_lines(("-1", "1", "1 1 180 150")) for path in inside}
    for half, start in (("train", 0), ("test", 1)):
        files[f"data/train_test_split/classification/{half}.txt"] = plain_lines(inside[start::4])
    rng = stream(0, "compcars", 1)
    names = {
        name: np.array([[word(rng, 2).title()] for _ in range(number)], dtype=object)
        for name, number in (("make_names", N_MAKES), ("model_names", N_MODELS))
    }
    return files | {"data/misc/make_model_name.mat": _mat(names)}


def _mat(variables: dict[str, np.ndarray]) -> bytes:
    """Bytes of a .mat file; the time of writing in its header of 116 bytes is replaced."""
    from scipy.io import savemat  # slow to import

    buffer = io.BytesIO()
    savemat(buffer, variables)
    return b"MATLAB 5.0 MAT-file, rendered miniature".ljust(116) + buffer.getvalue()[116:]


def vmmrdb(seed: int, scale: float) -> RawDataSet:
    """`<make>_<model>_<year>/<name>.jpg`: a folder a class, with blanks and further underscores in its name.

    Names of pictures repeat in every folder.
    """
    rng = stream(seed, "vmmrdb", 0)
    n = n_small_classes(scale)
    names = [*ADVERTISED, *(f"{word(rng, 2)}_{word(rng, 2)} {k}_2010" for k in range(n))][:n]
    photos: list[Photo] = []
    for item, name in enumerate(names):
        photos += shots("cars", item, name, [f"{name}/00{k}_first picture.jpg" for k in range(6)])
    return RawDataSet("vmmrdb", damaged(photos, ("truncated", "empty", "duplicate", "grey", "png")))


LAYOUTS = {"compcars": compcars, "vmmrdb": vmmrdb}
