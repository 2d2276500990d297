"""What is scored: labelled images from packed shards or from a plain table, checked before any model runs."""

import csv
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file
from submission.hosted_scorer import open_image
from train.data.readers import ShardReader
from train.retrieval.protocol import ROLES, EvaluationItems, check_items

COLUMNS = ("path", "domain", "class_key", "role")
_SHOWN_PROBLEMS = 10


@dataclass(frozen=True)
class EvaluationSet:
    """Labelled images.

    `items` in row order; `read_bytes` (row) -> the stored file; `source` what was read, as plain values;
    `data_sha256` of the manifest or the table; `images_sha256` over the hashes of all images in row order (of
    shards: over the hashes of the shards).
    """

    items: EvaluationItems
    read_bytes: Callable[[int], bytes]
    source: dict[str, str]
    data_sha256: str
    images_sha256: str


def read_shards(shards_dir: Path, split: str = "test") -> EvaluationSet:
    """A split of a packed mixture.

    Raises:
        ConfigError: no manifest, no such split, a shard that is not what the manifest says, a sample
            without role, a query without an index image.
    """
    reader = ShardReader(shards_dir, split)
    digest = hashlib.sha256()
    for shard in reader.manifest.shards:
        if shard.split != split:
            continue
        got = sha256_of_file(Path(shards_dir) / shard.path)
        if got != shard.sha256:
            raise ConfigError(
                f"{shard.path}: changed after packing: sha256 {got[:12]}, "
                f"the manifest says {shard.sha256[:12]}; make data packs it anew"
            )
        digest.update(got.encode())
    table, roles = reader.table, reader.table.roles.tolist()
    without_role = [key for key, role in zip(table.keys.tolist(), roles, strict=True) if role not in ROLES]
    if without_role:
        raise ConfigError(
            f"{shards_dir}, split {split}: {len(without_role)} of {len(reader)} samples have no role "
            f"({', '.join(ROLES)}), the first is {without_role[0]}; only evaluation splits can be scored"
        )
    items = EvaluationItems(table.domains.tolist(), list(table.accepted), roles, table.keys.tolist())
    check_items(items, f"{shards_dir}, split {split}")
    source = {"kind": "shards", "path": str(shards_dir), "split": split}
    return EvaluationSet(items, reader.jpeg_bytes, source, reader.manifest.sha256, digest.hexdigest())


def read_table(table_path: Path) -> EvaluationSet:
    """A CSV with the columns of COLUMNS; paths relative to the table.

    An image that is missing or unreadable is an error, not a row to leave out: leaving rows out changes the
    score and shifts what belongs to what.

    Raises:
        ConfigError: no such table, a missing column, an empty cell, an unknown role, missing or unreadable
            images (all are counted, the first ones listed), a query without an index image.
    """
    table_path = Path(table_path)
    rows = _read_rows(table_path)
    paths = [table_path.parent / row["path"] for row in rows]
    items = EvaluationItems(
        domains=[row["domain"] for row in rows],
        class_keys=[(row["class_key"],) for row in rows],
        roles=[row["role"] for row in rows],
        ids=[row["path"] for row in rows],
    )
    check_items(items, str(table_path))
    with ThreadPoolExecutor() as pool:
        checked = list(pool.map(_check_image, paths))
    problems = [
        f"row {number}: {path}: {problem}"
        for number, (path, (_, problem)) in enumerate(zip(paths, checked, strict=True), 2)
        if problem
    ]
    _raise_problems(table_path, problems, "images cannot be used")
    digest = hashlib.sha256("".join(image_sha256 for image_sha256, _ in checked).encode())
    source = {"kind": "table", "path": str(table_path)}
    return EvaluationSet(
        items, lambda row: paths[row].read_bytes(), source, sha256_of_file(table_path), digest.hexdigest()
    )


def _read_rows(table_path: Path) -> list[dict[str, str]]:
    """The table's rows with every cell of COLUMNS filled. Row 1 is the header, as an editor counts."""
    try:
        with open(table_path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
            found = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{table_path}: not a readable CSV table: {error}") from error
    missing = [column for column in COLUMNS if column not in found]
    if missing:
        raise ConfigError(
            f"{table_path}: missing column {', '.join(missing)}; found {', '.join(found) or 'nothing'}, "
            f"expected {','.join(COLUMNS)}"
        )
    if not rows:
        raise ConfigError(f"{table_path}: no rows below the header")
    problems = []
    for number, row in enumerate(rows, 2):
        empty = [column for column in COLUMNS if not (row[column] or "").strip()]
        if empty:
            problems.append(f"row {number}: nothing in {', '.join(empty)}")
        elif row["role"] not in ROLES:
            problems.append(f"row {number}: no role {row['role']!r}; known: {', '.join(ROLES)}")
    _raise_problems(table_path, problems, "rows cannot be used")
    return rows


def _check_image(path: Path) -> tuple[str, str]:
    """(sha256 of the file, what is wrong with it or '')."""
    if not path.is_file():
        return "", "no such file"
    encoded = path.read_bytes()
    try:
        open_image(encoded)
    except ValueError as error:
        return "", str(error)
    return hashlib.sha256(encoded).hexdigest(), ""


def _raise_problems(table_path: Path, problems: list[str], what: str) -> None:
    if problems:
        shown = "\n  ".join(problems[:_SHOWN_PROBLEMS])
        more = f"\n  and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
        raise ConfigError(f"{table_path}: {len(problems)} {what}:\n  {shown}{more}")
