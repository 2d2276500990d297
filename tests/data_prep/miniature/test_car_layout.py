import io

import numpy as np
from scipy.io import loadmat

from data_prep.miniature import cars
from data_prep.miniature.car_layout import stanford_cars
from data_prep.miniature.raw_data import design_streams, photo_stream


def annotations(data, name):
    return loadmat(io.BytesIO(data.files[name]), squeeze_me=True)["annotations"]


def test_the_published_layout_counts_classes_and_files_from_one_in_both_folders():
    data = stanford_cars(0, 1.0)
    parts = {
        folder: annotations(data, f"devkit/{name}.mat")
        for folder, name in (("cars_train", "cars_train_annos"), ("cars_test", "cars_test_annos_withlabels"))
    }
    for folder, rows in parts.items():
        assert rows.dtype.names == ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")
        assert [str(row["fname"]) for row in rows] == [f"{k:05d}.jpg" for k in range(1, len(rows) + 1)]
        assert {f"{folder}/{row['fname']}" for row in rows} <= {photo.path for photo in data.photos}
    train, test = ({int(row["class"]) for row in rows} for rows in parts.values())
    assert train == test and len(train) == 60 and min(train) >= 1 and max(train) <= 196
    assert sum(number <= 98 for number in train) == 40
    names = loadmat(io.BytesIO(data.files["devkit/cars_meta.mat"]), squeeze_me=True)["class_names"]
    assert len(names) == 196 and len({str(name) for name in names}) > 190


def test_both_layouts_show_the_same_cars():
    published, merged = stanford_cars(0, 0.1), stanford_cars(0, 0.1, merged=True)
    rows = annotations(merged, "cars_annos.mat")
    assert [str(row["relative_im_path"]) for row in rows] == [photo.path for photo in merged.photos]
    assert [photo.path for photo in merged.photos][:2] == ["car_ims/000001.jpg", "car_ims/000002.jpg"]
    assert [int(row["class"]) for row in rows] == [int(photo.class_key) for photo in published.photos]
    assert {int(row["test"]) for row in rows} == {0, 1}


def test_boxes_span_the_picture_as_it_will_be_drawn():
    data = stanford_cars(3, 0.1)
    rows = annotations(data, "devkit/cars_train_annos.mat")
    photo = next(photo for photo in data.photos if photo.path == "cars_train/00001.jpg")
    picture = cars.photo(
        cars.design(*design_streams(3, data.source, photo.item)),
        photo_stream(3, data.source, photo),
        photo.style,
    )
    assert (int(rows[0]["bbox_x2"]), int(rows[0]["bbox_y2"])) == picture.shape[1::-1]


def test_the_bytes_do_not_hold_the_time_of_writing():
    content = stanford_cars(0, 0.1).files["devkit/cars_train_annos.mat"]
    assert content[:116] == b"MATLAB 5.0 MAT-file, rendered miniature".ljust(116)


def test_a_large_world_has_no_more_than_196_classes():
    data = stanford_cars(0, 8.0)
    n_by_class = np.unique([photo.class_key for photo in data.photos], return_counts=True)[1]
    assert len(n_by_class) == 196 and n_by_class.min() >= 20
