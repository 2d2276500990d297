import csv
import re
from collections import Counter

from data_prep.miniature.general_layouts import PICTURES, REALMS, gpr1200, imagenet1k, omnibenchmark


def lines(data, name):
    return data.files[name].decode().splitlines()


def test_gpr1200_has_blocks_of_200_and_names_with_more_numbers():
    data = gpr1200(0, 1.0)
    categories = [int(re.match("images/([0-9]+)_", photo.path)[1]) for photo in data.photos]
    assert Counter(category // 200 for category in categories) == dict.fromkeys(range(6), 5) | {4: 10}
    assert len(set(categories)) == 7
    assert {photo.path.rpartition(".")[2] for photo in data.photos} == {"jpg", "JPG", "JPEG"}
    assert max(photo.path.count("_") for photo in data.photos) == 3 and not data.files
    assert {photo.style for photo in data.photos if photo.path.endswith(".JPEG")} == {"sketch"}


def test_omnibenchmark_records_in_their_three_forms():
    data = omnibenchmark(0, 1.0)
    starts = {"car": "train/images/", "food": "images/", "bird": ""}
    for realm, (_, name) in REALMS.items():
        listed = lines(data, f"{realm}/{realm}.train/{name}")
        assert {line[: line.rfind("/") + 1] for line in listed} == {starts[realm]}
    ids = {realm: {line.split()[1] for line in lines(data, f"{realm}/{realm}.val/{name}")} for realm, (_, name) in
           REALMS.items()}  # fmt: skip
    assert ids == {realm: {"0", "1"} for realm in REALMS}  # the same ids in every realm
    recorded = Counter(lines(data, "car/car.train/record.txt"))
    assert sorted(recorded.values()) == [1, 1, 1, 1, 1, 1, 2]
    twice = Counter(line.split()[0] for line in recorded)
    assert [path for path, n in twice.items() if n == 2] == ["train/images/0000_c.jpg"]
    names = Counter(photo.path.rpartition("/")[2] for photo in data.photos if photo.listed)
    assert set(names.values()) == {3}


def test_imagenets_val_is_flat_and_its_list_in_another_order():
    data = imagenet1k(0, 1.0)
    rows = list(csv.reader(lines(data, "LOC_val_solution.csv")))
    assert rows[0] == ["ImageId", "PredictionString"]
    boxes = {name: text.split(" ") for name, text in rows[1:]}
    assert list(boxes) != sorted(boxes) and {len(words) for words in boxes.values()} == {6, 11}
    truth = {photo.path: photo.class_key for photo in data.photos if "/val/" in photo.path}
    assert {f"{PICTURES}/val/{name}.JPEG": words[0] for name, words in boxes.items()} == truth
    assert {photo.path.count("/") for photo in data.photos if "/val/" in photo.path} == {4}
    assert {photo.path.split("/")[4] for photo in data.photos if "/train/" in photo.path} == set(truth.values())
    png = [photo.path for photo in data.photos if photo.defect == "png"]
    assert png == [f"{PICTURES}/train/n02105855/n02105855_2933.JPEG"]
