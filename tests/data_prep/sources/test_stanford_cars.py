import numpy as np
import pytest
from scipy.io import savemat

from data_prep.errors import ConfigError
from data_prep.sources.stanford_cars import read_rows


def write_annotations(path, name_field, names_and_classes, **more):
    fields = [name_field, *(["class"] if names_and_classes[0][1] is not None else []), *more]
    annotations = np.zeros(len(names_and_classes), dtype=[(field, object) for field in fields])
    for row, (name, number) in zip(annotations, names_and_classes):
        row[name_field] = name
        if number is not None:
            row["class"] = np.uint8(number)
        for field, value in more.items():
            row[field] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"annotations": annotations})


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def official(folder, lists_in="devkit", test_list="cars_test_annos_withlabels.mat", first_class=1):
    train = [("00001.jpg", first_class), ("00002.jpg", 196), ("00003.jpg", 98)]
    write_annotations(folder / lists_in / "cars_train_annos.mat", "fname", train, bbox_x1=1)
    write_annotations(folder / lists_in / test_list, "fname", [("00001.jpg", 99)])
    touch(folder, "cars_train/00001.jpg", "cars_train/00002.jpg", "cars_test/00001.jpg")
    return folder


OFFICIAL_ROWS = [
    ("1", "cars_train/00001.jpg", "train", "", None),
    ("196", "cars_train/00002.jpg", "test", "both", None),  # the train folder holds test classes
    ("98", "cars_train/00003.jpg", "train", "", "missing file"),
    ("99", "cars_test/00001.jpg", "test", "both", None),
]


def seen(folder):
    return read_rows(folder).select("class_key", "path", "split", "role", "reject_reason").rows()


@pytest.mark.parametrize("lists_in", ["devkit", "."])
def test_the_official_layout_is_divided_by_class_not_by_folder(tmp_path, lists_in):
    assert seen(official(tmp_path, lists_in)) == OFFICIAL_ROWS


def test_the_merged_layout_is_divided_by_class_not_by_its_test_field(tmp_path):
    cars = [("car_ims/000001.jpg", 98), ("car_ims/000002.jpg", 99)]
    write_annotations(tmp_path / "cars_annos.mat", "relative_im_path", cars, test=1)
    touch(tmp_path, "car_ims/000001.jpg", "car_ims/000002.jpg")
    assert seen(tmp_path) == [
        ("98", "car_ims/000001.jpg", "train", "", None),
        ("99", "car_ims/000002.jpg", "test", "both", None),
    ]


def test_neither_layout_names_both(tmp_path):
    with pytest.raises(ConfigError, match=r"neither cars_train/ nor car_ims/ in .*cars_annos.mat"):
        read_rows(tmp_path)


def test_the_public_test_list_without_classes_is_not_enough(tmp_path):
    official(tmp_path, test_list="cars_test_annos.mat")
    with pytest.raises(ConfigError, match=r"no cars_test_annos_withlabels.mat, looked for .*devkit"):
        read_rows(tmp_path)


def test_a_list_without_the_class_field_says_so(tmp_path):
    write_annotations(official(tmp_path) / "devkit/cars_test_annos_withlabels.mat", "fname", [("00001.jpg", None)])
    with pytest.raises(ConfigError, match="has no field class; fields there: fname"):
        read_rows(tmp_path)


def test_class_numbers_start_at_one(tmp_path):
    with pytest.raises(ConfigError, match="got class 0, expected 1 to 196"):
        read_rows(official(tmp_path, first_class=0))


def test_a_file_that_is_no_mat_file_is_named(tmp_path):
    (official(tmp_path) / "devkit/cars_train_annos.mat").write_text("<html>not found</html>")
    with pytest.raises(ConfigError, match=r"cars_train_annos.mat is not a .mat file"):
        read_rows(tmp_path)
