"""Logos and shop fronts in miniature: LogoDet-3K, Logo-2K+, Storefront-146."""

from dataclasses import replace

from data_prep.miniature.raw_data import Photo, RawDataSet
from data_prep.miniature.small_sets import boxed, damaged, n_small_classes, plain_lines, scene, shots, unlisted

KINDS = ("Food", "Clothes", "Electronic")
CHAINS = ("Bed, Bath and Beyond", "Bed", "McDonald's", "Trader Joe's, 5th Ave")


def logodet3k(seed: int, scale: float) -> RawDataSet:
    """`<kind>/<brand>/<n>.jpg` and boxes in `<n>.xml`; numbers repeat, and so does one brand in two kinds.

    Boxes are Pascal VOC's: the first pixel is 1, the last one is inside. Some pictures have boxes of two logos, one has
    the same box twice and one none; a brand's further marks ('Acme-1') are folders of their own.
    """
    photos, files = [], {}
    for item in range(n_small_classes(scale)):
        brand = "Acme" if item < 2 else f"Acme-{item}" if item % 2 else f"Brand {item}'s"
        folder = f"{KINDS[item % 3]}/{brand}"
        for photo in shots("packages", item, folder, [f"{folder}/{number}.jpg" for number in range(1, 6)]):
            two = [(folder, item, (30, 22, 150, 120)), (folder, item, (120, 140, 320, 280))]
            photos.append(scene(photo, two) if photo.view % 2 else boxed(photo))
    photos = damaged(photos, ("truncated", "duplicate", "html", "grey"))
    photos[2] = replace(photos[2], parts=2 * photos[2].parts)
    for photo in photos:
        xml = _voc(photo) if photo is not photos[6] else "<annotation></annotation>\n"
        files[photo.path.replace(".jpg", ".xml")] = xml.encode()
    photos[6] = replace(photos[6], parts=())
    return RawDataSet("logodet3k", photos, files)


def _voc(photo: Photo) -> str:
    kind, brand, name = photo.path.split("/")
    objects = []
    for part in photo.parts:
        x0, y0, x1, y1 = part.box
        sides = {"xmin": x0 + 1, "ymin": y0 + 1, "xmax": x1, "ymax": y1}
        box = "".join(f"<{side}>{number}</{side}>" for side, number in sides.items())
        objects.append(f"<object><name>{brand}</name><bndbox>{box}</bndbox></object>")
    return f"<annotation><folder>{kind}</folder><filename>{name}</filename>{''.join(objects)}</annotation>\n"


def logo2k_plus(seed: int, scale: float) -> RawDataSet:
    """`train.txt` and `test.txt`, a path a line: kind, class with spaces and commas, file.

    Both lists share all classes, a class name stands under two kinds, file names repeat, and one picture is in
    no list.
    """
    photos = []
    for item in range(n_small_classes(scale)):
        name = ("7 Up", "7 Up", "Dr. Oetker, Pizza", "7")[item] if item < 4 else f"A & B {item}"
        folder = f"{KINDS[item % 3]}/{name}"
        photos += shots("packages", item, folder, [f"{folder}/logo {number}.jpg" for number in range(5)])
    photos = damaged(photos, ("missing", "truncated", "missing", "duplicate"))
    lists = {
        "train.txt": plain_lines(photo.path for photo in photos if photo.view % 3),
        "test.txt": plain_lines(photo.path for photo in photos if not photo.view % 3),
    }
    stray = unlisted(shots("packages", 999, "in no list", ["Food/7 Up/logo 9.jpg"]))
    return RawDataSet("logo2k_plus", photos + stray, lists)


def storefront146(seed: int, scale: float) -> RawDataSet:
    """A folder a chain; names hold commas, spaces and apostrophes, suffixes differ, one chain has one picture."""
    photos = []
    for item in range(n_small_classes(scale)):
        folder = CHAINS[item] if item < len(CHAINS) else f"Chain No. {item}"
        suffixes = ("jpg", "jpeg", "JPG", "jpg", "png")
        names = [f"{folder}/{number}.{suffix}" for number, suffix in enumerate(suffixes)]
        photos += shots("buildings", item, folder, names)
    photos += shots("buildings", 999, "Sears", ["Sears/0.jpg"])
    return RawDataSet("storefront146", damaged(photos, ("png", "empty", "truncated", "html")))


LAYOUTS = {"logodet3k": logodet3k, "logo2k_plus": logo2k_plus, "storefront146": storefront146}
