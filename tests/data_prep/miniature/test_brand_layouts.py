import re
from collections import Counter
from pathlib import PurePosixPath
from xml.etree import ElementTree

from data_prep.miniature.brand_layouts import logo2k_plus, logodet3k, storefront146


def folders(data):
    return {str(PurePosixPath(photo.path).parent) for photo in data.photos}


def test_every_logo_has_boxes_beside_it_and_one_brand_is_of_two_kinds():
    data = logodet3k(0, 1.0)
    trees = {path: ElementTree.fromstring(text) for path, text in data.files.items()}
    assert {path.replace(".xml", ".jpg") for path in trees} == {photo.path for photo in data.photos}
    assert {len(tree.findall("object")) for tree in trees.values()} == {0, 1, 2}
    assert {"Food/Acme", "Clothes/Acme", "Food/Acme-3"} <= folders(data)
    names = Counter(PurePosixPath(photo.path).name for photo in data.photos)
    assert set(names) == {f"{n}.jpg" for n in range(1, 6)} and set(names.values()) == {6}


def test_logo_lists_share_classes_whose_names_hold_spaces_and_commas():
    data = logo2k_plus(0, 1.0)
    lists = [data.files[name].decode().splitlines() for name in ("train.txt", "test.txt")]
    classes = [{line.rpartition("/")[0] for line in lines} for lines in lists]
    assert classes[0] == classes[1] and not set(lists[0]) & set(lists[1])
    assert {"Food/7 Up", "Clothes/7 Up", "Food/7", "Electronic/Dr. Oetker, Pizza"} <= classes[0]
    assert all(line.count("/") == 2 for lines in lists for line in lines)
    assert set(lists[0] + lists[1]) == {photo.path for photo in data.photos if photo.listed}
    assert [photo.path for photo in data.photos if not photo.listed] == ["Food/7 Up/logo 9.jpg"]


def test_chains_have_commas_apostrophes_and_one_picture_or_more():
    data = storefront146(0, 1.0)
    assert {"Bed, Bath and Beyond", "Bed", "McDonald's"} <= folders(data) and not data.files
    assert Counter(photo.class_key for photo in data.photos)["Sears"] == 1
    suffixes = {re.sub(r".*\.", "", photo.path) for photo in data.photos}
    assert suffixes == {"jpg", "jpeg", "JPG", "png"}
