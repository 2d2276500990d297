from pathlib import Path

import polars as pl
import pytest

from data_prep.catalogue import make_catalogue, reject
from data_prep.config_files import build_config
from data_prep.errors import ConfigError
from data_prep.mixture import MixtureConfig
from data_prep.selection_steps import likely_packed, select_images
from data_prep.sources.source import source_rows

SOURCE = {"source": "toys", "reader": "class_folders", "domain": "toys", "split": "by_class", "test_fraction": 0.25,
          "min_per_class": 3, "cap_per_class": 4}  # fmt: skip
CONFIG = build_config(MixtureConfig, {"name": "m", "seed": 3, "image_px": 24, "sources": [SOURCE]}, "test")


@pytest.fixture
def scanned():
    """Classes of 1 to 8 images."""
    places = [(f"class{n}", f"class{n}/{row}.jpg") for n in range(1, 9) for row in range(n)]
    return make_catalogue(source_rows(*zip(*places, strict=True)), "toys", "toys", "toys")


def checked(table, bad=()):
    """What the decode check would say: every file other bytes, some of them bad."""
    rows = table.with_columns(sha256=pl.col("path"), width_px=pl.lit(9, pl.Int32), height_px=pl.lit(9, pl.Int32))
    return reject(rows, pl.col("path").is_in(list(bad)), "truncated")


def test_the_guess_is_right_where_all_images_are_good_and_differ(scanned):
    selected, _, _ = select_images(CONFIG, scanned, checked, Path())
    packed = selected.filter(pl.col("reject_reason").is_null())["path"]
    guessed = likely_packed(CONFIG, scanned)
    assert 10 < len(guessed) < scanned.height
    assert sorted(guessed) == sorted(packed)


def test_a_bad_image_moves_only_its_own_class(scanned):
    guessed = set(likely_packed(CONFIG, scanned))
    n_guessed = {n: sum(path.startswith(f"toys/class{n}/") for path in guessed) for n in (6, 7, 8)}
    train = next(f"class{n}" for n, found in n_guessed.items() if found == 4)  # cut down to the cap
    bad = next(path for path in guessed if path.startswith(f"toys/{train}/"))
    selected, counts, _ = select_images(CONFIG, scanned, lambda table: checked(table, [bad]), Path())
    packed = set(selected.filter(pl.col("reject_reason").is_null())["path"])
    assert guessed - packed == {bad}
    assert [path.split("/")[1] for path in packed - guessed] == [train]
    assert counts["toys"]["decode check"]["images"] == scanned.height - 1


def test_the_guess_does_not_depend_on_the_order_of_the_rows(scanned):
    assert set(likely_packed(CONFIG, scanned.reverse())) == set(likely_packed(CONFIG, scanned))


def test_a_source_of_which_nothing_is_left(scanned):
    with pytest.raises(ConfigError, match=r"toys: no image left; turned away: \{'truncated': 36\}"):
        select_images(CONFIG, scanned, lambda table: checked(table, table["path"]), Path())
