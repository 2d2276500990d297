import json

from data_prep.sources.food_recognition2022 import read_rows


def test_pictures_of_one_food_are_taken_whole_the_others_are_counted_rejects(lay_out, seen):
    names = ["one.jpg", "twice.jpg", "two.jpg", "none.jpg", "gone.jpg"]
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    foods = [(0, 1058), (1, 7), (1, 7), (2, 7), (2, 1058), (4, 7)]
    annotations = [{"image_id": image, "category_id": food, "bbox": [0, 0, 1, 1]} for image, food in foods]
    text = json.dumps({"images": images, "annotations": annotations})
    assert seen(read_rows(lay_out([f"images/{name}" for name in names[:-1]], {"annotations.json": text}))) == [
        ("1058", "images/one.jpg", "train", "", None),
        ("7", "images/twice.jpg", "train", "", None),
        ("uncropped-two.jpg", "images/two.jpg", "train", "", "several things in one picture"),
        ("uncropped-none.jpg", "images/none.jpg", "train", "", "nothing annotated"),
        ("7", "images/gone.jpg", "train", "", "missing file"),
    ]


def test_the_place_that_kaggle_s_copy_has_it_in_is_known(lay_out, seen):
    place = "raw_data/public_training_set_release_2.0"
    content = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "category_id": 7}]}
    lists = {f"{place}/annotations.json": json.dumps(content), "raw_data/public_validation_set_2.0/x.json": ""}
    rows = read_rows(lay_out([f"{place}/images/1.jpg"], lists))
    assert seen(rows) == [("7", f"{place}/images/1.jpg", "train", "", None)]
