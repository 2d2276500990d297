import io

import polars as pl
import pytest
from PIL import Image

from data_prep.build import build
from data_prep.config_files import build_config
from data_prep.errors import ConfigError
from data_prep.hash_evaluation import hash_evaluation, main
from data_prep.leak_guard import LEAKED
from data_prep.mixture import MixtureConfig
from data_prep.sample_world import render_world
from data_prep.sources.stanford_cars import LAST_TRAIN_CLASS, read_rows

SETTINGS = {"seed": 0, "image_px": 32}


def mixture(name, source, **more):
    return build_config(MixtureConfig, {"name": name, **SETTINGS, "sources": [source], **more}, "test")


def train_folder(raw_root, name):
    """A source that reads a folder's official train half, all of it as training data, as entrants did."""
    return {
        "source": name, "reader": "table", "domain": "cars", "raw_dir": name,
        "options": {"file": "train.csv", "split_column": "split"},
    }  # fmt: skip


def smaller(content):
    """A copy as others pass it on; a broken file stays as it is."""
    try:
        picture, buffer = Image.open(io.BytesIO(content)).convert("RGB"), io.BytesIO()
    except OSError:
        return content
    size = [round(side * 0.8) for side in picture.size]
    picture.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def raw_root(tmp_path_factory):
    """Rendered Stanford Cars; `copied` holds its cars_train, `encoded` the same smaller and encoded again."""
    root = tmp_path_factory.mktemp("raw")
    render_world(root, scale=0.1, n_workers=1, sources=["stanford_cars"])
    rows = read_rows(root / "stanford_cars").filter(pl.col("reject_reason").is_null())
    rows = rows.filter(pl.col("path").str.starts_with("cars_train/")).with_columns(split=pl.lit("train"))
    for name in ("copied", "encoded"):
        for path in rows["path"]:
            content = (root / "stanford_cars" / path).read_bytes()
            if name == "encoded":
                content = smaller(content)
            (root / name / path).parent.mkdir(parents=True, exist_ok=True)
            (root / name / path).write_bytes(content)
        rows.select("path", "class_key", "split").write_csv(root / name / "train.csv")
    return root


@pytest.fixture(scope="module")
def guard(raw_root, tmp_path_factory):
    """The guard file of a build with the retrieval split: classes 99 to 196 of both folders are test."""
    root = tmp_path_factory.mktemp("shards")
    source = {"source": "stanford_cars", "split": "official"}
    build(mixture("official", source), raw_root, root, n_workers=1)
    assert main([str(root / "official"), "--out", str(root / "cars.parquet")]) == 0
    return root / "cars.parquet"


@pytest.mark.parametrize(("name", "said"), [("copied", "same bytes as in"), ("encoded", " bits from a picture of")])
def test_training_on_the_official_car_folder_loses_exactly_the_test_cars(raw_root, guard, tmp_path, name, said):
    config = mixture("entrant", train_folder(raw_root, name), leak_guard=[str(guard)])
    build(config, raw_root, tmp_path, n_workers=1)
    table = pl.read_parquet(tmp_path / "entrant" / "catalogue.parquet")
    table = table.filter(pl.col("width_px").is_not_null())  # the miniature has broken files too
    leaking = table.filter(pl.col("class_key").cast(pl.Int64) > LAST_TRAIN_CLASS)
    assert 0.3 < leaking.height / table.height < 0.7  # half of the folder, as in the real one
    gone = table.filter(pl.col("reject_reason") == LEAKED)
    assert sorted(gone["path"]) == sorted(leaking["path"])
    assert gone["reject_detail"].str.contains(said).all() and gone["reject_detail"].str.ends_with(guard.name).all()


def test_without_the_guard_they_are_trained_on(raw_root, tmp_path):
    build(mixture("entrant", train_folder(raw_root, "copied")), raw_root, tmp_path, n_workers=1)
    table = pl.read_parquet(tmp_path / "entrant" / "catalogue.parquet")
    assert table.filter(pl.col("class_key").cast(pl.Int64) > LAST_TRAIN_CLASS)["reject_reason"].is_null().any()


def test_the_file_lists_the_test_pictures_of_the_build(guard, tmp_path):
    table = pl.read_parquet(guard)
    assert table.columns == ["sha256", "phash", "source", "path"]
    catalogue = pl.read_parquet(guard.parent / "official" / "catalogue.parquet")
    test = catalogue.filter(pl.col("split") == "test", pl.col("sha256").is_not_null())
    assert set(table["sha256"]) == set(test["sha256"]) and table.height >= 10
    assert hash_evaluation(guard.parent / "official", tmp_path / "cars.csv") == table.height
    written = pl.read_csv(tmp_path / "cars.csv", schema_overrides={"phash": pl.UInt64})
    assert written.equals(table)


def test_unfinished_and_unsuitable_builds_are_refused(guard, tmp_path, capsys):
    with pytest.raises(ConfigError, match="manifest"):
        hash_evaluation(tmp_path, tmp_path / "guard.parquet")
    with pytest.raises(ConfigError, match="guard file format"):
        hash_evaluation(guard.parent / "official", tmp_path / "guard.json")
    assert main([str(tmp_path), "--out", str(tmp_path / "guard.csv")]) == 1
    assert "error: " in capsys.readouterr().err and not (tmp_path / "guard.csv").exists()
