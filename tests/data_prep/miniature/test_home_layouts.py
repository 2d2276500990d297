import json
from collections import Counter
from pathlib import PurePosixPath

from data_prep.miniature.darkroom import draw_item
from data_prep.miniature.home_layouts import furniture180, imaterialist_furniture


def test_furniture_names_repeat_and_suffixes_differ():
    data = furniture180(0, 1.0)
    names = Counter(PurePosixPath(photo.path).name for photo in data.photos)
    assert names == dict.fromkeys(["001.jpg", "002.JPG", "003.webp", "004.jpg", "005.jpg"], 6)
    one = next(photo for photo in data.photos if photo.path.endswith(".webp"))
    assert draw_item(0, "furniture180", [one])[one.path][8:12] == b"WEBP"


def test_furniture_lists_number_anew_and_shuffle_their_labels():
    data = imaterialist_furniture(0, 1.0)
    truth = {photo.path: int(photo.class_key) for photo in data.photos if photo.listed}
    listed = {}
    for part in ("train", "validation"):
        tree = json.loads(data.files[f"{part}.json"])
        numbers = [image["image_id"] for image in tree["images"]]
        assert numbers == list(range(1, len(numbers) + 1)) and all(len(image["url"]) == 1 for image in tree["images"])
        assert [entry["image_id"] for entry in tree["annotations"]] != numbers
        listed |= {f"{part}/{entry['image_id']}.jpg": entry["label_id"] for entry in tree["annotations"]}
    assert listed == truth and min(truth.values()) == 1
    assert "annotations" not in json.loads(data.files["test.json"])
    shown = Counter((photo.item, photo.view) for photo in data.photos)
    assert max(shown.values()) == 1
    assert Counter(photo.defect for photo in data.photos)["html"] == 2
