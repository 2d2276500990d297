"""GPR1200, OmniBenchmark and ImageNet-1k in miniature: pictures of everything, labelled by category."""

from dataclasses import replace

from data_prep.miniature.raw_data import Photo, RawDataSet, stream
from data_prep.miniature.small_sets import csv_text, damaged, json_text, n_small_classes, plain_lines, shots

# Artist, style ('' for the artist's own by turns) and pattern of the names in each block of 200 categories.
GPR_BLOCKS = (
    ("buildings", "", "{hash}.jpg"),
    ("creatures", "", "{hash}_2820_{k}.jpg"),
    ("drawn_figures", "sketch", "sketch_{k}.JPEG"),
    ("packages", "", "instre_a_{k:02d}.jpg"),
    ("shop_items", "", "11108512287_{k}.JPG"),
    ("drawn_figures", "face", "7_{k}_9.jpg"),
)
REALMS = {"car": ("cars", "record.txt"), "food": ("dishes", "records.txt"), "bird": ("creatures", "record.txt")}
GPR_TURNS = (0, 4, 2, 4, 5, 1, 3)  # the blocks of successive categories; one block has two of them
PICTURES = "ILSVRC/Data/CLS-LOC"
WNIDS = ("n02105855", "n01440764", "n03599486", "n04483307", "n07720875", "n02066245")
WNID_ARTISTS = ("creatures", "dishes", "packages", "shop_items")


def gpr1200(seed: int, scale: float) -> RawDataSet:
    """`images/<category>_<name>.jpg`, all in one folder; categories are numbered in six blocks of 200.

    Names hold more underscores and numbers, and suffixes are written in three ways. Every category is as large as
    the others, but their order by name is not the one by number.
    """
    rng = stream(seed, "gpr1200", 0)
    photos: list[Photo] = []
    for item in range(n_small_classes(scale) + 1):
        block = GPR_TURNS[item % len(GPR_TURNS)]
        artist, style, pattern = GPR_BLOCKS[block]
        names = [pattern.format(hash=rng.bytes(8).hex(), k=k) for k in range(5)]
        category = str(200 * block + 9 + 17 * item)
        taken = shots(artist, item, category, [f"images/{category}_{name}" for name in names])
        photos += [replace(photo, style=style or photo.style) for photo in taken]
    return RawDataSet("gpr1200", damaged(photos, ("grey", "truncated", "duplicate", "png")))


def omnibenchmark(seed: int, scale: float) -> RawDataSet:
    """`<realm>/<realm>.{train,val,test}/images/` with records `<path> <train id>`; ids start at 0 in each realm.

    The list is called `record.txt` or `records.txt`. Its paths begin with `images/`, with `train/images/` or
    with neither. Names of pictures repeat in realms and parts. A picture may be recorded twice, once even under
    two ids. What could not be fetched stands in lists of its own.
    """
    photos: list[Photo] = []
    realms = list(REALMS)
    for item in range(n_small_classes(scale)):
        realm, train_id = realms[item % len(realms)], item // len(realms)
        parts = ("train", "train", "train", "val", "val", "test")
        paths = [f"{realm}/{realm}.{part}/images/{train_id}00{k}_c.jpg" for k, part in enumerate(parts)]
        photos += shots(REALMS[realm][0], item, f"{realm}/{train_id}", paths)
    photos = damaged(photos, ("missing", "truncated", "html", "duplicate"))
    photos[0] = replace(photos[0], more_class_keys=(f"{realms[0]}/1",))
    recorded = [(photo, photo.class_key) for photo in photos]
    recorded += [(photos[1], photos[1].class_key), (photos[0], f"{realms[0]}/1")]
    files = {}
    for realm, (_, name) in REALMS.items():
        for part in ("train", "val", "test"):
            place = f"{realm}/{realm}.{part}/"
            start = {"car": f"{part}/images/", "food": "images/", "bird": ""}[realm]
            rows = [
                f"{photo.path.replace(f'{place}images/', start)} {key.split('/')[1]}"
                for photo, key in recorded
                if photo.path.startswith(place)
            ]
            files[f"{place}{name}"] = plain_lines(rows)
            files[f"{place}expired_urls.txt"] = plain_lines(["https://example.org/1/gone_c.jpg 0 | not found"])
        files[f"{realm}/trainid2name_{realm}.json"] = json_text({"0": f"a {realm}", "1": f"another {realm}"})
    unread = Photo("car/car.train/images/9_c.jpg", "unlabelled", 0, 60, "road", listed=False, artist="cars")
    return RawDataSet("omnibenchmark", [*photos, unread], files)


def imagenet1k(seed: int, scale: float) -> RawDataSet:
    """`train/<wnid>/*.JPEG`; flat `val/` whose labels stand in a CSV in no order, the boxes after the wnid.

    One .JPEG is a PNG, two are CMYK. Test pictures are flat too, and without label.
    """
    rng = stream(seed, "imagenet1k", 0)
    n = n_small_classes(scale)
    wnids = [*WNIDS, *(f"n{90_000_000 + 7 * k}" for k in range(n))][:n]
    photos: list[Photo] = []
    val_numbers = iter(rng.permutation(2 * n).tolist())
    for item, wnid in enumerate(wnids):
        paths = [f"{PICTURES}/train/{wnid}/{wnid}_{2933 if k == 3 else 10 * k}.JPEG" for k in range(4)]
        paths += [f"{PICTURES}/val/ILSVRC2012_val_{19877 - next(val_numbers):08d}.JPEG" for _ in range(2)]
        photos += shots(WNID_ARTISTS[item % len(WNID_ARTISTS)], item, wnid, paths)
    photos = damaged(photos, ("png", "cmyk", "truncated"), lambda photo: "/train/" in photo.path)
    photos = damaged(photos, ("missing", "cmyk"), lambda photo: "/val/" in photo.path)
    unread = [
        Photo(f"{PICTURES}/test/ILSVRC2012_test_{k:08d}.JPEG", "unlabelled", 9000 + k, 0, "shop", listed=False,
              artist="packages")
        for k in range(2)
    ]  # fmt: skip
    val = sorted((photo for photo in photos if "/val/" in photo.path), key=lambda photo: photo.class_key)
    train = [photo for photo in photos if "/train/" in photo.path]
    named = [f"{wnid} thing {k}, thing number {k}" for k, wnid in enumerate(wnids)]
    files = {
        "LOC_val_solution.csv": _solution(val),
        "LOC_train_solution.csv": _solution(train),
        "LOC_synset_mapping.txt": plain_lines(named),
        "ILSVRC/ImageSets/CLS-LOC/val.txt": plain_lines(f"{_name(photo)} {k}" for k, photo in enumerate(val, 1)),
        "ILSVRC/ImageSets/CLS-LOC/train_cls.txt": plain_lines(
            f"{photo.class_key}/{_name(photo)} {k}" for k, photo in enumerate(train, 1)
        ),
    }
    return RawDataSet("imagenet1k", photos + unread, files)


def _solution(photos: list[Photo]) -> bytes:
    """ImageId,PredictionString: one or two boxes, each with its wnid, and a blank at the end."""
    boxes = [f"{photo.class_key} 1 1 {200 + k} 180 " * (1 + k % 2) for k, photo in enumerate(photos)]
    return csv_text([("ImageId", "PredictionString"), *zip(map(_name, photos), boxes, strict=True)])


def _name(photo: Photo) -> str:
    return photo.path.rpartition("/")[2].removesuffix(".JPEG")


LAYOUTS = {"gpr1200": gpr1200, "omnibenchmark": omnibenchmark, "imagenet1k": imagenet1k}
