import hashlib
import io
import json
import shutil

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageOps

from data_prep import shards as shards_module
from data_prep.build import build
from data_prep.config_files import build_config
from data_prep.crops import CROP, FILE, rows_of_boxes, split_box, stored_box
from data_prep.errors import ConfigError
from data_prep.images import TURNS
from data_prep.mixture import MixtureConfig
from data_prep.shards import iterate_shard
from data_prep.sources.boxes import box_rows


def cut(boxes, margin=0.0, class_keys=None, paths=None):
    """(path, class key, reason) of boxes of one picture."""
    rows = box_rows(class_keys or ["7"] * len(boxes), paths or ["a.jpg"] * len(boxes), boxes)
    return rows_of_boxes(rows, margin).select("path", "class_key", "reject_reason").rows()


def test_a_path_with_a_box_is_taken_apart_and_others_are_left_alone():
    assert split_box("a/b.jpg#box=0,1,20,30") == ("a/b.jpg", (0, 1, 20, 30))
    for path in ("a/b.jpg", "#U7ea2/b.jpg", "a#box=1,2,3.jpg", "a.jpg#box=1,2,3", "a.jpg#box=1,2,3,4.jpg"):
        assert split_box(path) == (path, None)
    table = pl.DataFrame({"path": ["a.jpg#box=0,1,20,30", "#U7ea2.jpg"]}).select(crop=CROP, file=FILE)
    assert table.rows() == [([0, 1, 20, 30], "a.jpg"), (None, "#U7ea2.jpg")]


def test_fractions_are_rounded_outwards_and_each_box_is_a_row():
    assert cut([[10.25, 20.0, 50.75, 90.0], [1.1, 2.0, 1.1 + 2.9, 4.0]]) == [
        ("a.jpg#box=10,20,51,90", "7", None), ("a.jpg#box=1,2,4,4", "7", None),
    ]  # fmt: skip


def test_the_margin_is_a_share_of_each_side_and_stops_at_the_upper_left_edge():
    assert cut([[10.0, 100.0, 60.0, 300.0]], 0.1) == [("a.jpg#box=5,80,65,320", "7", None)]
    assert cut([[2.0, 1.0, 52.0, 31.0]], 0.1) == [("a.jpg#box=0,0,57,34", "7", None)]


def test_boxes_that_show_nothing_are_rejects_with_a_reason():
    empty, outside = "empty box", "box outside the picture"
    assert [reason for *_, reason in cut([[5.0, 5.0, 5.0, 9.0], [9.0, 5.0, 5.0, 9.0], [-9.0, 1.0, -2.0, 5.0]])] == [
        empty, empty, outside,
    ]  # fmt: skip
    assert [reason for *_, reason in cut([[5.0, 5.0, 5.0, 9.0]], margin=0.5)] == [empty]
    assert cut([[-9.0, -3.0, 12.0, 5.0]]) == [("a.jpg#box=0,0,12,5", "7", None)]
    assert cut([None], paths=["b.jpg"]) == [("b.jpg", "7", "nothing annotated")]
    assert cut([[-1e300, 0.0, 1e300, 5.0]])[0][2] is None  # whatever an annotation says


def test_a_box_listed_twice_is_one_row_and_one_of_two_classes_a_reject():
    box = [1.0, 2.0, 30.0, 40.0]
    assert cut([box, box]) == [("a.jpg#box=1,2,30,40", "7", None)]
    assert cut([box, box], paths=["a.jpg", "b.jpg"]) == [
        ("a.jpg#box=1,2,30,40", "7", None), ("b.jpg#box=1,2,30,40", "7", None),
    ]  # fmt: skip
    assert cut([box, box], class_keys=["7", "8"]) == [("a.jpg#box=1,2,30,40", "7", "one box of several classes")]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_of_the_upright_picture_is_found_in_the_stored_one(orientation):
    stored = np.random.default_rng(0).integers(0, 255, (20, 31, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "PNG", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(buffer)))
    x0, y0, x1, y1 = stored_box((3, 5, 11, 17), (31, 20), orientation)
    part = Image.fromarray(stored[y0:y1, x0:x1])
    turned = part if orientation == 1 else part.transpose(TURNS[orientation])
    assert np.array_equal(np.asarray(turned), upright[5:17, 3:11])


def test_boxes_are_clipped_in_the_upright_picture():
    assert stored_box((-4, 10, 25, 50), (31, 20), 1) == (0, 10, 25, 20)
    assert stored_box((-4, 10, 25, 50), (31, 20), 5) == (10, 0, 31, 20)  # which is 20 wide and 31 high
    assert stored_box((31, 0, 40, 20), (31, 20), 1) is None and stored_box((20, 0, 30, 9), (31, 20), 8) is None


@pytest.fixture(scope="module")
def outfits(tmp_path_factory):
    """Raw root of a DeepFashion2 of six pictures, two garments each; garment n is 10 px wide and n % 5 + 7 high."""
    root = tmp_path_factory.mktemp("raw")
    folder = root / "deep_fashion2" / "train"
    for name in ("image", "annos"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for n in range(6):
        noise = Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
        noise.save(folder / "image" / f"{n}.jpg", quality=95)
        boxes = ([2, 3, 12, 10 + n % 5], [20, 5, 30, 12 + n % 5])
        items = {f"item{k}": {"category_id": k, "style": 1, "bounding_box": box} for k, box in enumerate(boxes, 1)}
        (folder / "annos" / f"{n}.json").write_text(json.dumps({"pair_id": n, **items}))
    return root


def mixture(**changes):
    source = {"source": "deepfashion2", "split": "official", "crops": {}} | changes
    return build_config(
        MixtureConfig, {"name": "m", "seed": 0, "image_px": 24, "samples_per_shard": 4, "sources": [source]}, "test"
    )


def shards_of(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("m/*/*.tar")}


@pytest.fixture(scope="module")
def packed(outfits, tmp_path_factory):
    """The folder of a build of all garments."""
    folder = tmp_path_factory.mktemp("shards")
    build(mixture(), outfits, folder, n_workers=1)
    return folder


def test_every_box_is_a_sample_that_says_where_it_was(packed):
    samples = [sample for path in sorted(packed.glob("m/*/*.tar")) for _, _, sample in iterate_shard(path)]
    assert len(samples) == 12 and len({sample["class_key"] for sample in samples}) == 12
    for sample in samples:
        pair, item, _ = map(int, sample["class_key"].split("/"))
        x0, y0 = ((2, 3), (20, 5))[item - 1]
        assert sample["crop"] == [x0, y0, x0 + 10, y0 + 7 + pair % 5]
        assert sample["source_path"] == f"deep_fashion2/train/image/{pair}.jpg"
        assert (sample["original_width_px"], sample["original_height_px"]) == (10, 7 + pair % 5)
    table = pl.read_parquet(packed / "m" / "catalogue.parquet")
    assert sorted(table["crop"].to_list()) == sorted(sample["crop"] for sample in samples)


def test_workers_lost_encodings_and_an_interruption_change_no_byte(outfits, packed, tmp_path, monkeypatch):
    build(mixture(), outfits, tmp_path / "two", n_workers=2)
    assert shards_of(tmp_path / "two") == shards_of(packed)
    write, calls = shards_module.write_shard, []

    def stop_at_the_second(task):
        calls.append(task)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return write(task)

    monkeypatch.setattr("data_prep.build.write_shard", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        build(mixture(), outfits, tmp_path / "cut", n_workers=1)
    monkeypatch.undo()
    assert len(shards_of(tmp_path / "cut")) == 1
    shutil.rmtree(tmp_path / "cut" / "m" / "build" / "encoded")
    build(mixture(), outfits, tmp_path / "cut", n_workers=1)
    assert shards_of(tmp_path / "cut") == shards_of(packed)


def test_a_margin_is_another_build(outfits, packed, tmp_path):
    with pytest.raises(ConfigError, match=r"sources\.0\.crops\.margin: 0\.0 there, 0\.1 asked for"):
        build(mixture(crops={"margin": 0.1}), outfits, packed)
    build(mixture(crops={"margin": 0.1}), outfits, tmp_path, n_workers=1)
    crops = pl.read_parquet(tmp_path / "m" / "catalogue.parquet")["crop"].to_list()
    assert [1, 2, 13, 11] in crops and [19, 4, 31, 13] in crops  # a pixel more each side


def test_crops_are_for_sources_with_boxes():
    known = "deepfashion2, food_recognition2022, logodet3k, rpc"
    with pytest.raises(ConfigError, match=f"crops: no boxes are known of it; sources with boxes: {known}"):
        mixture(source="met", split="by_class")
    with pytest.raises(ConfigError, match="margin"):
        mixture(crops={"margin": 1.5})
