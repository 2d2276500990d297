"""Every known data set in miniature: what its reader and the build make of it, beside what was drawn."""

import io
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from data_prep.build import build
from data_prep.crops import rows_of_boxes
from data_prep.manifest import load_manifest
from data_prep.miniature.darkroom import draw_parts
from data_prep.miniature.worlds import LAYOUTS, QUICKSTART, count_photos
from data_prep.mixture import WITH_BOXES, MixtureConfig
from data_prep.sample_world import MARK, RENDERED
from data_prep.shards import iterate_shard
from data_prep.sources import SOURCES

SMALL = sorted(LAYOUTS.keys() - QUICKSTART.keys())
SEED = 3  # of the miniatures of conftest.py
BROKEN = {"truncated": "truncated", "empty": "empty file", "html": "html page"}
PROTECTION = {"": 0, "train": 0, "val": 1, "test": 2}


def test_there_is_a_miniature_of_every_source():
    assert QUICKSTART.keys() == set(RENDERED)
    assert LAYOUTS.keys() == SOURCES.keys()
    assert all(layout(0, 0.1).source == source for source, layout in LAYOUTS.items())


def test_the_quickstart_world_has_the_size_that_fits_its_time():
    assert 3_000 <= count_photos() <= 4_000
    planned = [layout(0, 1.0) for layout in QUICKSTART.values()]
    n_classes = sum(len({photo.class_key for photo in data.photos}) for data in planned)
    assert 400 <= n_classes <= 500


@pytest.mark.parametrize("source", SMALL)
def test_the_others_are_small(source):
    assert 15 <= len(LAYOUTS[source](0, 1.0).photos) <= 80


@pytest.mark.parametrize("source", LAYOUTS)
def test_paths_are_planned_once_and_stay_inside(source):
    data = LAYOUTS[source](1, 0.5)
    paths = [photo.path for photo in data.photos]
    assert len(set(paths)) == len(paths) and not set(paths) & data.files.keys()
    assert not any(path.startswith("/") or ".." in path for path in [*paths, *data.files])


@pytest.mark.parametrize("source", SMALL)
def test_an_item_is_the_work_of_one_artist(source):
    artists = {}
    for photo in LAYOUTS[source](0, 1.0).photos:
        artists.setdefault(photo.item, set()).add(photo.artist)
    assert {len(found) for found in artists.values()} == {1}


def test_the_size_follows_the_scale():
    assert 1.9 < count_photos(scale=2.0) / count_photos() < 2.1
    small = SMALL[:4]
    assert all(count_photos(0, 4.0, [source]) > 1.5 * count_photos(0, 1.0, [source]) for source in small)


def reader_reason(photo):
    """Why a reader turns a listed photo away."""
    return photo.reason or ("missing file" if photo.defect == "missing" else None)


def classes_of(labels_of_paths):
    """The sets of paths that share a label, whatever the labels are called, sorted."""
    classes = {}
    for path, labels in labels_of_paths.items():
        for label in labels:
            classes.setdefault(label, set()).add(path)
    return sorted(map(sorted, classes.values()))


@pytest.mark.parametrize("source", LAYOUTS)
def test_a_reader_reads_what_was_drawn(miniature, source):
    root, data = miniature(source)
    rows = SOURCES[source].read_rows(root / SOURCES[source].raw_dir)
    truth = {photo.path: photo for photo in data.photos if photo.listed}
    paths = rows["path"].to_list()
    assert len(set(paths)) == len(paths) and set(paths) == truth.keys()
    for path, split, role, reason in rows.select("path", "split", "role", "reject_reason").rows():
        photo = truth[path]
        assert (split, role, reason) == (photo.split, photo.role, reader_reason(photo)), path
    usable = [photo for photo in truth.values() if not photo.reason]
    read = {path: (key, *more) for path, key, more in rows.select("path", "class_key", "more_class_keys").rows()}
    planned = {photo.path: (photo.class_key, *photo.more_class_keys) for photo in usable}
    assert classes_of({path: read[path] for path in planned}) == classes_of(planned)


@pytest.mark.parametrize("source", LAYOUTS)
def test_all_that_was_planned_is_there_and_nothing_else(miniature, source):
    root, data = miniature(source)
    folder = root / SOURCES[source].raw_dir
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    drawn = {photo.path for photo in data.photos if photo.defect != "missing"}
    assert there == drawn | data.files.keys() | {MARK}


def expected_of_build(photos):
    """{path: reject reason, None for accepted} of the listed photos, step by step, one photo at a time."""
    listed = [photo for photo in photos if photo.listed]
    reasons = {photo.path: reader_reason(photo) or BROKEN.get(photo.defect) for photo in listed}
    by_content = {}
    for photo in listed:
        if reasons[photo.path] is None:
            shown = (photo.artist, photo.item, photo.view, photo.style, photo.defect)
            by_content.setdefault(shown, []).append(photo)
    for copies in by_content.values():
        for split in {photo.split for photo in copies}:
            inside = [photo for photo in copies if photo.split == split]
            if len({photo.class_key for photo in inside}) > 1:
                reasons |= dict.fromkeys((photo.path for photo in inside), "duplicate across classes")
            else:
                inside.sort(key=lambda photo: (photo.role == "query", photo.role == "", photo.path))
                reasons |= dict.fromkeys((photo.path for photo in inside[1:]), "duplicate in class")
        left = [photo for photo in copies if reasons[photo.path] is None]
        best = max((PROTECTION[photo.split] for photo in left), default=0)
        leaks = [photo.path for photo in left if PROTECTION[photo.split] < best]
        reasons |= dict.fromkeys(leaks, "same picture in an evaluation split")
    return reasons


@pytest.mark.parametrize("source", LAYOUTS)
def test_a_build_counts_what_was_drawn(miniature, tmp_path, source):
    root, data = miniature(source)
    split = "official" if all(photo.split for photo in data.photos if photo.listed) else "by_class"
    one = {"source": source, "split": split}
    mixture = MixtureConfig(name="one", seed=0, image_px=32, samples_per_shard=500, sources=[one])
    manifest = load_manifest(build(mixture, root, tmp_path, n_workers=1).parent)
    reasons = expected_of_build(data.photos)
    kept = [photo for photo in data.photos if photo.listed and reasons[photo.path] is None]
    assert manifest.rejects == Counter(filter(None, reasons.values()))
    sizes = Counter(photo.class_key for photo in kept)
    expected = {"images": len(kept), "classes": len(sizes)}
    assert manifest.counts[source]["cap per class"] == expected
    assert sum(shard.n_samples for shard in manifest.shards) == len(kept)
    if not any(photo.more_class_keys for photo in data.photos):
        assert sorted(entry.n_images for entry in manifest.classes) == sorted(sizes.values())
    n_read = sum(reader_reason(photo) is None for photo in data.photos if photo.listed)
    assert manifest.counts[source]["scan"]["images"] == n_read


def drawn_boxes(photos):
    """{path with box: (photo, part)}; a box that is drawn twice is one."""
    found = {}
    for photo in photos:
        for part in photo.parts:
            x0, y0, x1, y1 = part.box
            found[f"{photo.path}#box={max(x0, 0)},{max(y0, 0)},{x1},{y1}"] = photo, part
    return found


def box_reasons(photos):
    """{path with box: reject reason of the build, None for accepted} of what is drawn; {path: reason} without boxes."""
    reasons = {p.path: "nothing annotated" for p in photos if p.listed and not p.parts}
    seen = set()
    for path, (photo, part) in sorted(drawn_boxes(photos).items()):
        reason = part.reason or reader_reason(replace(photo, reason="")) or BROKEN.get(photo.defect)
        if reason is None:
            shown = (photo.item, photo.view, photo.style, photo.defect, part.box)
            reason = "duplicate in class" if shown in seen else None
            seen.add(shown)
        reasons[path] = reason
    return reasons


@pytest.mark.parametrize("source", WITH_BOXES)
def test_a_reader_reads_the_boxes_that_were_drawn(miniature, source):
    root, data = miniature(source)
    rows = rows_of_boxes(SOURCES[source].read_boxes(root / SOURCES[source].raw_dir), 0.0)
    assert set(rows["path"]) == box_reasons(data.photos).keys()
    read = {path: [key] for path, key in rows.select("path", "class_key").rows()}
    drawn = {path: [part.class_key] for path, (_, part) in drawn_boxes(data.photos).items() if not part.reason}
    assert classes_of({path: read[path] for path in drawn}) == classes_of(drawn)


def brightness(rgb):
    return rgb.astype(float).mean(axis=2)


@pytest.mark.parametrize("source", WITH_BOXES)
def test_a_build_packs_the_boxes_as_they_were_drawn(miniature, tmp_path, source):
    root, data = miniature(source)
    one = {"source": source, "split": "official", "crops": {}}
    mixture = MixtureConfig(name="one", seed=0, image_px=400, jpeg_quality=95, samples_per_shard=500, sources=[one])
    manifest = load_manifest(build(mixture, root, tmp_path, n_workers=1).parent)
    reasons = box_reasons(data.photos)
    assert manifest.rejects == Counter(filter(None, reasons.values()))
    drawn, packed, away = drawn_boxes(data.photos), {}, []
    for shard in manifest.shards:
        for _, jpeg, sample in iterate_shard(tmp_path / "one" / shard.path):
            path = sample["source_path"].removeprefix(SOURCES[source].raw_dir + "/")
            photo, part = drawn[f"{path}#box={','.join(map(str, sample['crop']))}"]
            packed[path, part.box] = part.class_key
            x0, y0, x1, y1 = part.box
            picture = draw_parts(SEED, source, photo)
            expected = brightness(picture[max(y0, 0) : y1, max(x0, 0) : x1])
            assert (sample["original_width_px"], sample["original_height_px"]) == expected.shape[::-1]
            found = brightness(np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")))
            assert np.abs(found - expected).mean() < 8, path  # the file was a JPEG before
            away.append(np.abs(found[:-2, :-2] - expected[2:, 2:]).mean() / np.abs(found - expected).mean())
    assert len(packed) == sum(reason is None for reason in reasons.values())
    assert np.median(away) > 1.5  # two pixels beside the box it would not look the same
