import io
from collections import Counter

from scipy.io import loadmat

from data_prep.miniature.car_folder_layouts import N_MAKES, N_MODELS, compcars, vmmrdb


def test_compcars_years_repeat_models_and_models_repeat_years():
    data = compcars(0, 1.0)
    folders = {tuple(photo.path.split("/")[2:5]) for photo in data.photos if photo.path.startswith("data/image/")}
    makes, models, years = (set(column) for column in zip(*folders))
    assert makes & models and "unknown" in years
    assert len({(make, model) for make, model, _ in folders}) < len(folders) - 1
    assert len({year for *_, year in folders}) < len(folders)
    assert not any(0 in map(int, folder[:2]) for folder in folders)  # counted from 1
    names = Counter(photo.path.rpartition("/")[2] for photo in data.photos)
    assert names["00a1b2c3d4e5f6.jpg"] == 6


def test_compcars_labels_names_and_lists():
    data = compcars(0, 1.0)
    inside = {photo.path for photo in data.photos if photo.path.startswith("data/image/")}
    labels = {path for path in data.files if path.startswith("data/label/")}
    assert {path.replace("label/", "image/").replace(".txt", ".jpg") for path in labels} == inside
    assert {len(data.files[path].splitlines()) for path in labels} == {3}
    names = loadmat(io.BytesIO(data.files["data/misc/make_model_name.mat"]))
    assert names["make_names"].shape == (N_MAKES, 1) and names["model_names"].shape == (N_MODELS, 1)
    halves = [data.files[f"data/train_test_split/classification/{half}.txt"].decode().split() for half in
              ("train", "test")]  # fmt: skip
    assert not set(halves[0]) & set(halves[1])
    assert 0 < len(halves[0] + halves[1]) < len(inside)
    assert {f"data/image/{line}" for half in halves for line in half} < inside


def test_vmmrdb_classes_differ_in_one_part_of_their_name():
    data = vmmrdb(0, 1.0)
    classes = {photo.class_key for photo in data.photos}
    assert {photo.path.split("/")[0] for photo in data.photos} == classes
    assert {"land rover_range rover_2006", "land rover_range rover_2007"} < classes  # the year
    assert {"mercedes benz_c_class_2007", "mercedes benz_c_2007"} < classes  # one underscore more
    assert {"honda_civic_1999", "honda_civic hybrid_1999"} < classes  # one word more
    assert len({photo.path.rpartition("/")[2] for photo in data.photos}) == 6 and not data.files
