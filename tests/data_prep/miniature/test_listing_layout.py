import csv
import gzip
import io
import json

from data_prep.miniature.listing_layout import N_LISTING_FILES, amazon_berkeley_objects


def pictures_of_items(data):
    """({item: file paths of its pictures}, number of listings of each item)."""
    table = gzip.decompress(data.files["images/metadata/images.csv.gz"]).decode()
    path_of = {row["image_id"]: f"images/small/{row['path']}" for row in csv.DictReader(io.StringIO(table))}
    assert not any(image_id in path for image_id, path in path_of.items())
    shown, n_listings = {}, {}
    for number in range(N_LISTING_FILES):
        for line in gzip.decompress(data.files[f"listings/metadata/listings_{number:x}.json.gz"]).decode().splitlines():
            listing = json.loads(line)
            images = [*([listing["main_image_id"]] if "main_image_id" in listing else [])]
            images += listing.get("other_image_id", [])
            shown.setdefault(listing["item_id"], set()).update(path_of[image] for image in images)
            n_listings[listing["item_id"]] = n_listings.get(listing["item_id"], 0) + 1
    return shown, n_listings


def test_pictures_join_items_over_steps_and_the_logo_is_of_more_than_fifty():
    data = amazon_berkeley_objects(0, 1.0)
    shown, n_listings = pictures_of_items(data)
    logo = next(photo.path for photo in data.photos if photo.reason)
    assert all(logo in paths for paths in shown.values()) and len(shown) > 51
    assert sorted(set(n_listings.values())) == [1, 2]
    stranger = next(photo.path for photo in data.photos if not photo.listed)
    assert not any(stranger in paths for paths in shown.values())
    # By a slow loop: items with a picture in common, but the logo, are of one class; any number of steps.
    left, groups = [paths - {logo} for paths in shown.values()], []
    while left:
        group = left.pop()
        while touching := [paths for paths in left if paths & group]:
            left = [paths for paths in left if not paths & group]
            group = group.union(*touching)
        groups.append(group)
    truth = {}
    for photo in data.photos:
        if photo.listed and not photo.reason:
            truth.setdefault(photo.class_key, set()).add(photo.path)
    assert sorted(map(sorted, groups)) == sorted(map(sorted, truth.values()))
    assert max(sum(photo.path in paths for paths in shown.values()) for photo in data.photos if not photo.reason) == 50


def test_the_packed_bytes_do_not_hold_the_time_of_writing():
    assert amazon_berkeley_objects(1, 0.5).files == amazon_berkeley_objects(1, 0.5).files
    name = "images/metadata/images.csv.gz"
    assert amazon_berkeley_objects(1, 0.5).files[name][4:8] == b"\0\0\0\0"
