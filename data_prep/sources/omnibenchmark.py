"""OmniBenchmark v2: web pictures of 21 realms (food, car, bird, ...), labelled by category.

Layout: `<realm>/<realm>.{train,val,test}/` with `images/` and `record.txt` or `records.txt`, lines `<path>
<train id>`, parted at the last space; paths begin with `images/`, with `train/images/` or with the picture's name.
The realms' ids overlap: the class is realm and id. A picture may be recorded again, even under another id: the
first is its class, others are further labels. Parts share their categories: all rows are 'train'.
"""

from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import find_file, mark_missing_files, read_path_and_label, require_folder
from data_prep.sources.source import ByRequest, Packed, Source, source_rows

TITLE = "OmniBenchmark"
FETCH = (
    "all parts omnibenchmark_v2_onedrive.tar.gz.* by the link on https://github.com/ZhangYuanhan-AI/OmniBenchmark, "
    "joined by `cat omnibenchmark_v2_onedrive.tar.gz.* > omnibenchmark_v2_onedrive.tar.gz`: the realms' folders go "
    "there"
)
FETCH_PLAN = ByRequest(FETCH, (Packed("omnibenchmark_v2_onedrive.tar.gz", root_has=("*/*.train",)),))
PARTS = ("train", "val", "test")


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA) of all realms and parts that are there, all in split 'train'.

    Raises:
        ConfigError: no realm, a part without its records, or a record without an id.
    """
    places = require_folder(folder, TITLE, FETCH).glob("*/*")
    parts = sorted(place for place in places if place.name in {f"{place.parent.name}.{p}" for p in PARTS})
    if not parts:
        raise ConfigError(f"{TITLE}: no <realm>/<realm>.train in {folder}; to get it: {FETCH}")
    labels: dict[str, list[str]] = {}
    for part in parts:
        name = "records.txt" if (part / "records.txt").is_file() else "record.txt"
        records = find_file(part, name, (".",), TITLE, FETCH)
        for path, train_id in read_path_and_label(records, " ", TITLE, FETCH):
            picture = f"{part.relative_to(folder).as_posix()}/images/{path.rpartition('images/')[2]}"
            labels.setdefault(picture, []).append(f"{part.parent.name}/{train_id}")
    found = [list(dict.fromkeys(keys)) for keys in labels.values()]
    rows = source_rows([keys[0] for keys in found], list(labels), "train", more_class_keys=[keys[1:] for keys in found])
    return mark_missing_files(rows, folder)


OMNIBENCHMARK = Source(
    key="omnibenchmark",
    domain="general",
    title=TITLE,
    licence="CC BY-NC-ND 4.0",
    homepage="https://github.com/ZhangYuanhan-AI/OmniBenchmark",
    fetch=FETCH,
    raw_dir="omnibenchmark",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
