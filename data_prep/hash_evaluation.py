"""Hashes of a build's evaluation pictures.

python -m data_prep.hash_evaluation shards/uned --out uned_test.parquet

The file keeps those pictures out of other mixtures: name it under their `leak_guard`. It lists every val and test
picture of the build, also those that were not packed, by the bytes of the raw file and by how it looks; it holds no
pictures.
"""

import argparse
import sys
from pathlib import Path

import polars as pl

from data_prep.catalogue import CATALOGUE_SCHEMA
from data_prep.errors import ConfigError, unknown_name
from data_prep.files import writing_atomically
from data_prep.leak_guard import SUFFIXES, evaluation_hashes
from data_prep.manifest import load_manifest


def hash_evaluation(shards_dir: Path, out: Path) -> int:
    """Write the guard file of a finished build; returns the number of pictures in it.

    Raises:
        ConfigError: an unfinished build, one without val and test pictures, or of an older catalogue format.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise unknown_name("guard file format", out.suffix, SUFFIXES, str(out))
    load_manifest(shards_dir)  # a folder without one is unfinished
    path = shards_dir / "catalogue.parquet"
    try:
        catalogue = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ConfigError(f"{path}: not a readable catalogue: {error}") from error
    if dict(catalogue.schema).get("phash") != CATALOGUE_SCHEMA["phash"]:
        raise ConfigError(f"{path}: written by an older version, without perceptual hashes; build it again")
    hashes = evaluation_hashes(catalogue)
    if hashes.is_empty():
        raise ConfigError(f"{shards_dir}: the build has no val or test pictures")
    with writing_atomically(out) as unfinished_path:
        if out.suffix.lower() == ".csv":
            hashes.write_csv(unfinished_path)
        else:
            hashes.write_parquet(unfinished_path)
    return hashes.height


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.hash_evaluation", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shards", type=Path, help="folder of a finished build, with its catalogue.parquet")
    parser.add_argument("--out", type=Path, required=True, help="the guard file: .parquet or .csv")
    options = parser.parse_args(arguments)
    try:
        n_pictures = hash_evaluation(options.shards, options.out)
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {n_pictures:,} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
