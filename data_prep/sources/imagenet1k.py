"""ImageNet-1k: web pictures of 1,000 categories.

Layout: `ILSVRC/Data/CLS-LOC/train/<wnid>/*.JPEG`, and flat `val/<id>.JPEG` whose labels stand in
`LOC_val_solution.csv` (ImageId,PredictionString; the first word of the second is the wnid, boxes follow).
Both share all classes: all rows are 'train', val where its list is there. One .JPEG is a PNG and 22 are CMYK;
the decode step looks at bytes, not at suffixes.
"""

from pathlib import Path

import polars as pl

from data_prep.sources.class_folders import read_split_folders
from data_prep.sources.layouts import mark_missing_files, read_text_csv, require_folder
from data_prep.sources.source import KaggleCompetition, Packed, Source, source_rows

TITLE = "ImageNet-1k"
FETCH = "unpack the Kaggle competition imagenet-object-localization-challenge there: ILSVRC/ and LOC_val_solution.csv"
FETCH_PLAN = KaggleCompetition(
    "imagenet-object-localization-challenge",
    (Packed("imagenet_object_localization_patched2019.tar.gz", root_has=("ILSVRC",)),),
)
PICTURES = "ILSVRC/Data/CLS-LOC"


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA), all in split 'train'; the class is the wnid.

    Raises:
        ConfigError: no train folder, an empty class, or a val list without its folder.
    """
    parts = [read_split_folders(folder, {f"{PICTURES}/train": "train"}, TITLE, FETCH)]
    solution = folder / "LOC_val_solution.csv"
    if solution.is_file():
        require_folder(folder / PICTURES / "val", TITLE, FETCH)
        table = read_text_csv(solution, ("ImageId", "PredictionString"), TITLE)
        wnids = table["PredictionString"].str.split(" ").list.first().to_list()
        paths = [f"{PICTURES}/val/{name}.JPEG" for name in table["ImageId"]]
        parts.append(mark_missing_files(source_rows(wnids, paths, "train"), folder))
    return pl.concat(parts)


IMAGENET1K = Source(
    key="imagenet1k",
    domain="general",
    title=TITLE,
    licence="non-commercial research (ImageNet terms, Kaggle competition rules)",
    homepage="https://www.kaggle.com/competitions/imagenet-object-localization-challenge",
    fetch=FETCH,
    raw_dir="imagenet1k",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
