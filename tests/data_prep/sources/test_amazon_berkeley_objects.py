import gzip
import json

import pytest

from data_prep.errors import ConfigError
from data_prep.sources.amazon_berkeley_objects import read_rows


def world(lay_out, listings, images, missing=()):
    """`listings`: a list of (item, main image, other images) for each file."""
    folder = lay_out([f"images/small/{image[:2]}/{image}.jpg" for image in images if image not in missing])
    (folder / "listings/metadata").mkdir(parents=True)
    (folder / "images/metadata").mkdir(parents=True)
    for number, rows in enumerate(listings):
        named = [{"item_id": item, "main_image_id": main, "other_image_id": others} for item, main, others in rows]
        lines = (json.dumps({key: value for key, value in listing.items() if value}) for listing in named)
        (folder / f"listings/metadata/listings_{number}.json.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    table = "image_id,height,width,path\n" + "".join(f"{image},1,1,{image[:2]}/{image}.jpg\n" for image in images)
    (folder / "images/metadata/images.csv.gz").write_bytes(gzip.compress(table.encode()))
    return folder


def classes(folder):
    return {row[1].split("/")[-1]: row[0] for row in read_rows(folder).select("class_key", "path").rows()}


def test_items_that_share_a_picture_are_one_class_over_marketplaces_and_steps(lay_out):
    files = [
        [("B2", "aa01", ["aa02"]), ("B1", "aa03", None), ("B9", "ff01", None)],
        [("B3", "aa02", ["aa03"]), ("B2", "aa04", None), ("B9", "ff01", None)],  # B2-B3 by aa02, B3-B1 by aa03
    ]
    folder = world(lay_out, files, ["aa01", "aa02", "aa03", "aa04", "ff01", "ee99"], missing=["aa04"])
    expected = {"aa01": "B1", "aa02": "B1", "aa03": "B1", "aa04": "B1", "ff01": "B9"}  # ee99 is of no listing
    assert classes(folder) == {f"{name}.jpg": key for name, key in expected.items()}
    missing = read_rows(folder).filter(reject_reason="missing file")
    assert missing["path"].to_list() == ["images/small/aa/aa04.jpg"]


@pytest.mark.parametrize(("n_items", "joined"), [(50, True), (51, False)])
def test_pictures_of_many_items_join_nothing(lay_out, seen, n_items, joined):
    items = [f"B{n:03d}" for n in range(n_items)]
    files = [[(item, f"im{item}", ["ad01"]) for item in items]]
    rows = read_rows(world(lay_out, files, ["ad01", *(f"im{item}" for item in items)]))
    assert rows.filter(path="images/small/im/imB007.jpg")["class_key"].item() == ("B000" if joined else "B007")
    boilerplate = next(row for row in seen(rows) if row[1] == "images/small/ad/ad01.jpg")
    assert boilerplate[0] == ("B000" if joined else "boilerplate-ad01")
    assert boilerplate[4] == (None if joined else "picture of too many items")


def test_no_listings_a_broken_one_and_an_unknown_picture(lay_out):
    folder = world(lay_out, [[("B1", "aa01", None)]], ["aa02"])
    with pytest.raises(ConfigError, match=r"1 picture\(s\) are not in images.csv.gz, first 'aa01'"):
        read_rows(folder)
    path = folder / "listings/metadata/listings_0.json.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(ConfigError, match=r"listings_0.json.gz is not a whole list"):
        read_rows(folder)
    path.unlink()
    with pytest.raises(ConfigError, match=r"no listings_<i>.json.gz in .*; to get it"):
        read_rows(folder)
