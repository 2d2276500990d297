"""WikiArt, iMet and DAF:re in miniature: paintings by style, museum pictures by attributes, drawn characters."""

from dataclasses import replace

from data_prep.miniature.raw_data import Photo, RawDataSet, stream
from data_prep.miniature.small_sets import csv_text, damaged, n_small_classes, plain_lines, shots
from data_prep.miniature.textures import word

STYLE_FOLDERS = ("Cubism", "Art_Nouveau_Modern", "Rococo", "Ukiyo_e", "Pop_Art", "Naive_Art_Primitivism")
TITLES = (  # as they are on disk: commas, dots, accents, quotes, a number at the end
    "ilya-repin_a-man, a-dog.1200px",
    "édouard-manet_olympia",
    'ivan-o\'hara_"untitled"-1949',
    "pablo-picasso_guitar, 1",
    "vincent-van-gogh_self-portrait(1)",
)
TRICKY_IDS = ("1000483014d91860", "12e5000000000000", "0000000000000012", "1234567890123456")


def wikiart(seed: int, scale: float) -> RawDataSet:
    """`Style/style_{train,val}.csv` without header, `<Folder>/<artist_title>.jpg,<style>`; pictures in `wikiart/`.

    Titles hold commas and odd characters and are not quoted. Styles begin with 0, not in the order of their
    folders' names. The lists by genre and artist name the same pictures; the one by artist has no suffix.
    """
    rng = stream(seed, "wikiart", 0)
    folders = [*STYLE_FOLDERS, *(f"Style_{k}" for k in range(n_small_classes(scale)))][: n_small_classes(scale)]
    photos: list[Photo] = []
    for item, folder in enumerate(folders):
        names = [f"{title if k else title + '-' + word(rng, 2)}" for k, title in enumerate(TITLES)]
        photos += shots("art_styles", item, str(item), [f"wikiart/{folder}/{name}.jpg" for name in names])
    photos = damaged(photos, ("missing", "truncated", "grey", "duplicate"))
    rows = [(photo.path.removeprefix("wikiart/"), photo.class_key) for photo in photos]
    rows = [rows[k] for k in rng.permutation(len(rows)).tolist()]
    parts = {"train": rows[: 2 * len(rows) // 3], "val": rows[2 * len(rows) // 3 :]}
    files = {"Style/style_class.txt": plain_lines(f"{k} {folder}" for k, folder in enumerate(folders))}
    for part, inside in parts.items():
        files[f"Style/style_{part}.csv"] = plain_lines(f"{path},{style}" for path, style in inside)
        files[f"Genre/genre_{part}.csv"] = plain_lines(f"{path},{k % 10}" for k, (path, _) in enumerate(inside))
        files[f"Artist/artist_{part}"] = plain_lines(f"{path},{k % 23}" for k, (path, _) in enumerate(inside))
    return RawDataSet("wikiart", photos, files)


def imet(seed: int, scale: float) -> RawDataSet:
    """`train.csv` id,attribute_ids, `train/<id>.png`: one to four attributes, the first of them the least number.

    Ids look like numbers. Attributes begin with 0 and share pictures. Test pictures have no attributes.
    """
    rng = stream(seed, "imet", 0)
    n = n_small_classes(scale)
    photos: list[Photo] = []
    for item in range(n):
        attribute = 19 * item
        ids = [TRICKY_IDS[item] if item < len(TRICKY_IDS) else rng.bytes(8).hex()]
        ids += [rng.bytes(8).hex() for _ in range(4)]
        taken = shots("artworks", item, str(attribute), [f"train/{name}.png" for name in ids])
        others = [str(19 * k) for k in range(item + 1, n)]
        photos += [replace(photo, more_class_keys=tuple(others[: k % 4])) for k, photo in enumerate(taken)]
    photos = _damaged_pngs(photos)
    unread = [
        Photo(f"test/{rng.bytes(8).hex()}.png", "unlabelled", k, 50, "catalogue", defect="png", listed=False,
              artist="artworks")
        for k in range(2)
    ]  # fmt: skip
    order = rng.permutation(len(photos)).tolist()
    rows = [(_base_name(photos[k]), " ".join((photos[k].class_key, *photos[k].more_class_keys))) for k in order]
    names = [(19 * k, f"{('culture', 'tag')[k % 2]}::{word(rng, 3)}") for k in range(n + 3)]
    files = {
        "train.csv": csv_text([("id", "attribute_ids"), *rows]),
        "labels.csv": csv_text([("attribute_id", "attribute_name"), *names]),
        "sample_submission.csv": csv_text([("id", "attribute_ids"), *((_base_name(p), "0 1 2") for p in unread)]),
    }
    return RawDataSet("imet", photos + unread, files)


def _damaged_pngs(photos: list[Photo]) -> list[Photo]:
    """Some are broken; the others are PNG, which is a defect elsewhere."""
    plain = damaged(photos, ("missing", "empty", "html", "duplicate"))
    return [replace(photo, defect=photo.defect or "png") for photo in plain]


def _base_name(photo: Photo) -> str:
    return photo.path.rpartition("/")[2].removesuffix(".png")


def dafre(seed: int, scale: float, full: bool = False) -> RawDataSet:
    """`labels/{train,val,test}.csv` without header, `<class>,<path>`; pictures in `faces/` or, `full`, `fullMin256/`.

    The folder of a picture is the rest of its number by 1000 and says nothing about who is drawn; it may be
    another character's class number. All characters are in the three lists.
    """
    rng = stream(seed, "dafre", 0)
    pictures = "fullMin256" if full else "faces"
    n = n_small_classes(scale)
    photos: list[Photo] = []
    thousands = rng.choice(3000, (n, 7), replace=False).tolist()
    for item in range(n):
        numbers = [1000 * k + (item + shift) % n for shift, k in enumerate(thousands[item])]
        paths = [f"{pictures}/{number % 1000:04d}/{number}.jpg" for number in numbers]
        photos += shots("drawn_figures", item, str(item), paths)
    photos = damaged(photos, ("missing", "truncated", "grey", "missing", "duplicate"))
    parts = {"train": (0, 1, 2, 3, 4), "val": (5,), "test": (6,)}
    files = {"labels/classid_classname.csv": csv_text((k, f"{word(rng, 3)}_({word(rng, 2)})") for k in range(n))}
    for part, kept in parts.items():
        inside = [photo for k, photo in enumerate(photos) if k % 7 in kept]
        rows = [(photo.class_key, photo.path.removeprefix(f"{pictures}/")) for photo in inside]
        files[f"labels/{part}.csv"] = csv_text(rows)
    return RawDataSet("dafre", photos, files)


LAYOUTS = {"wikiart": wikiart, "imet": imet, "dafre": dafre}
