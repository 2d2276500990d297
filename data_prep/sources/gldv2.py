"""Google Landmarks v2: photographs of landmarks; clean train set, index and test queries.

Layout: pictures in `<train|index|test>/a/b/c/<id>.jpg` (a, b, c: the first three digits of the id); lists in
the folder itself, `metadata/` or `ground_truth/`: `train_clean.csv` (landmark_id,images with a space between
ids), and, for an evaluation set, all of `index.csv` (id), `index_image_to_landmark.csv` (id,landmark_id),
`test.csv` (id) and `retrieval_solution_v2.1.csv` (id,images,Usage).

Landmark numbers of train and index are two numberings: the same number means two landmarks. Class keys are
therefore 'train-<n>' and 'index-<n>'. A query's labels are the landmarks of the index images that
`retrieval_solution` lists for it. The numbers in `recognition_solution` belong to the train numbering and
must not be compared with those of the index (github.com/cvdfoundation/google-landmark, issue 23).
"""

import os
from pathlib import Path

import polars as pl

from data_prep.errors import ConfigError
from data_prep.sources.layouts import find_file, read_text_csv, require_folder
from data_prep.sources.source import MISSING_FILE, ROW_SCHEMA, RemoteFile, Source, Urls

TITLE = "Google Landmarks v2"
FETCH = (
    "the archives of train, index and test and the files of metadata/ and ground_truth/, as listed on "
    "https://github.com/cvdfoundation/google-landmark"
)
HOST = "https://s3.amazonaws.com/google-landmark"
LISTS = (
    "metadata/train_clean.csv", "metadata/index.csv", "metadata/index_image_to_landmark.csv", "metadata/test.csv",
    "ground_truth/retrieval_solution_v2.1.csv",
)
N_ARCHIVES = {"test": 20, "index": 100, "train": 500}
FETCH_PLAN = Urls((
    *(RemoteFile(f"{HOST}/{path}", path.split("/")[0]) for path in LISTS),
    *(
        RemoteFile(f"{HOST}/{split}/images_{n:03d}.tar", split, md5_url=f"{HOST}/md5sum/{split}/md5.images_{n:03d}.txt")
        for split, n_archives in N_ARCHIVES.items()
        for n in range(n_archives)
    ),
))
PLACES = (".", "metadata", "ground_truth")
EVALUATION_LISTS = ("index.csv", "index_image_to_landmark.csv", "test.csv", "retrieval_solution_v2.1.csv")
NOT_SCORED = "query not scored"  # Usage 'Ignored', or a test image that the solution does not list
NO_LANDMARK = "query without a landmark"


def read_rows(folder: Path) -> pl.DataFrame:
    """Rows (ROW_SCHEMA): train, and, where its lists are there, index and queries of split 'test'.

    An index image without a landmark is a class of its own, 'distractor-<id>', that nobody asks for. Queries
    that cannot be scored are rejects, 'unscored-<id>'. Their role is 'index' only because every test row
    needs one and a query without an answer is an error of the data.

    Raises:
        ConfigError: no train list, some but not all of the evaluation lists, a missing folder or column, or
            a solution for images that are not in test.csv.
    """
    parts = [_train_rows(folder)]
    if _has_evaluation(folder):
        landmarks = _read(folder, "index_image_to_landmark.csv", ("id", "landmark_id"))
        landmarks = landmarks.select("id", label="index-" + pl.col("landmark_id"))
        parts += [_index_rows(folder, landmarks), _query_rows(folder, landmarks)]
    return pl.concat(parts)


def _read(folder: Path, name: str, columns: tuple[str, ...]) -> pl.DataFrame:
    return read_text_csv(find_file(folder, name, PLACES, TITLE, FETCH), columns, TITLE)


def _has_evaluation(folder: Path) -> bool:
    lists = (*EVALUATION_LISTS, "recognition_solution_v2.1.csv")  # named too: alone it is not enough
    there = {name for name in lists if any((folder / place / name).is_file() for place in PLACES)}
    missing = [name for name in EVALUATION_LISTS if name not in there]
    if there and missing:
        raise ConfigError(
            f"{TITLE}: {folder} has {', '.join(sorted(there))}, but not {', '.join(missing)}; index and test "
            f"need all of {', '.join(EVALUATION_LISTS)} (recognition_solution has landmark numbers of the "
            f"train set, it cannot stand in); for train alone take them away; to get them: {FETCH}"
        )
    return bool(there)


def _train_rows(folder: Path) -> pl.DataFrame:
    table = _read(folder, "train_clean.csv", ("landmark_id", "images"))
    images = table.select("landmark_id", id=pl.col("images").str.extract_all(r"\S+"))
    keyed = images.explode("id", empty_as_null=False).with_columns(class_key="train-" + pl.col("landmark_id"))
    return _rows(folder, "train", keyed, "train", "")


def _index_rows(folder: Path, landmarks: pl.DataFrame) -> pl.DataFrame:
    listed = _read(folder, "index.csv", ("id",)).join(landmarks, on="id", how="left", maintain_order="left")
    keyed = listed.with_columns(class_key=pl.coalesce("label", "distractor-" + pl.col("id")))
    return _rows(folder, "index", keyed, "test", "index")


def _query_rows(folder: Path, landmarks: pl.DataFrame) -> pl.DataFrame:
    test = _read(folder, "test.csv", ("id",))
    solution = _read(folder, "retrieval_solution_v2.1.csv", ("id", "images", "Usage"))
    strangers = solution.join(test, on="id", how="anti")
    if not strangers.is_empty():
        raise ConfigError(
            f"{TITLE}: {strangers.height} id(s) of retrieval_solution_v2.1.csv are not in test.csv, first "
            f"{strangers['id'][0]!r}; the lists do not belong together"
        )
    known = test.join(solution, on="id", how="left", maintain_order="left")
    labelled = known.join(_labels(solution, landmarks), on="id", how="left", maintain_order="left")
    usage = pl.col("Usage").fill_null("not in the solution")
    reason = pl.when(~usage.is_in(["Public", "Private"])).then(pl.lit(NOT_SCORED))
    reason = reason.when(pl.col("labels").is_null()).then(pl.lit(NO_LANDMARK))
    queries = labelled.with_columns(reject_reason=reason, reject_detail="Usage: " + usage)
    scored = pl.col("reject_reason").is_null()
    queries = queries.with_columns(
        class_key=pl.when(scored).then(pl.col("labels").list.first()).otherwise("unscored-" + pl.col("id")),
        more_class_keys=pl.when(scored).then(pl.col("labels").list.slice(1)),
        reject_detail=pl.when(~scored).then("reject_detail"),
        role=pl.when(scored).then(pl.lit("query")).otherwise(pl.lit("index")),
    )
    return _rows(folder, "test", queries, "test", None)


def _labels(solution: pl.DataFrame, landmarks: pl.DataFrame) -> pl.DataFrame:
    """id, labels: the landmarks of a query's index images, in the order of the images; no empty lists.

    'None' and an empty cell, both of which stand for no image, are no index image's id and so match nothing.
    """
    images = solution.select("id", image=pl.col("images").str.extract_all(r"\S+"))
    images = images.explode("image", empty_as_null=False)
    found = images.join(landmarks, left_on="image", right_on="id", how="inner", maintain_order="left")
    return found.group_by("id", maintain_order=True).agg(labels=pl.col("label").unique(maintain_order=True))


def _rows(folder: Path, image_dir: str, table: pl.DataFrame, split: str, role: str | None) -> pl.DataFrame:
    """ROW_SCHEMA from a table with id and class_key; `role` None where the table has a column of it."""
    there = _list_folder(require_folder(folder / image_dir, TITLE, FETCH))
    digits = [pl.col("id").str.slice(n, 1) for n in range(3)]
    path = pl.concat_str(pl.lit(image_dir), *digits, pl.col("id") + ".jpg", separator="/")
    rows = table.with_columns(path=path, split=pl.lit(split))
    if role is not None:
        rows = rows.with_columns(role=pl.lit(role))
    rows = rows.with_columns(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in ROW_SCHEMA.items()
    )
    marked = rows.with_columns(pl.col("more_class_keys").fill_null([])).join(
        there, on="path", how="left", maintain_order="left"
    )
    no_file = pl.col("on_disk").is_null() & pl.col("reject_reason").is_null()
    reason = pl.when(no_file).then(pl.lit(MISSING_FILE)).otherwise("reject_reason")
    return marked.with_columns(reject_reason=reason).select(*ROW_SCHEMA)


def _list_folder(folder: Path) -> pl.DataFrame:
    """path, on_disk of all files: one walk is much cheaper than a question for each of millions of rows."""
    found = []
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(folder.parent).as_posix()
        found += [f"{inside}/{name}" for name in names]
    return pl.DataFrame({"path": found}, schema={"path": pl.String}).with_columns(on_disk=pl.lit(True))


GLDV2 = Source(
    key="gldv2",
    domain="landmarks",
    title=TITLE,
    licence="annotations CC BY 4.0; train pictures CC BY variants, index and test CC0 or public domain",
    homepage="https://github.com/cvdfoundation/google-landmark",
    fetch=FETCH,
    raw_dir="gldv2",
    read_rows=read_rows,
    fetch_plan=FETCH_PLAN,
)
