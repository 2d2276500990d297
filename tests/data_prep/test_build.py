import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image

from data_prep import build as build_module
from data_prep import shards as shards_module
from data_prep.build import build, main
from data_prep.build_lock import only_build_in
from data_prep.config_files import build_config
from data_prep.errors import ConfigError
from data_prep.manifest import load_manifest
from data_prep.mixture import MixtureConfig
from data_prep.shards import iterate_shard, write_shard
from data_prep.storage import list_files, open_to_read

REPOSITORY = Path(__file__).parents[2]
MIXTURE = {
    "name": "small",
    "seed": 1,
    "image_px": 24,
    "samples_per_shard": 5,
    "sources": [
        {
            "source": "toys",
            "reader": "class_folders",
            "domain": "toys",
            "split": "by_class",
            "val_fraction": 0.2,
            "test_fraction": 0.2,
            "min_per_class": 2,
            "cap_per_class": 4,
            "repeat_to": 6,
        },
        {
            "source": "listed",
            "reader": "table",
            "domain": "things",
            "options": {"file": "list.csv", "split_column": "split", "role_column": "role"},
        },
    ],
}


def picture(path, rng):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(path, quality=90)


@pytest.fixture(scope="module")
def raw_root(tmp_path_factory):
    """toys: ten classes of six and one of one, one file broken; listed: two train, a query, an index."""
    root = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(0)
    for toy in range(10):
        for n in range(6):
            picture(root / "toys" / f"toy{toy}" / f"{n}.jpg", rng)
    picture(root / "toys" / "lonely" / "0.jpg", rng)
    (root / "toys" / "toy3" / "broken.jpg").write_bytes(b"<html>not found</html>")
    lines = ["path,class_key,split,role"]
    for name, key, split, role in (
        ("a", "01", "train", ""),
        ("b", "01", "train", ""),
        ("q", "2", "test", "query"),
        ("i", "2", "test", "index"),
    ):
        picture(root / "listed" / f"{name}.jpg", rng)
        lines.append(f"{name}.jpg,{key},{split},{role}")
    lines.append("gone.jpg,01,train,")
    (root / "listed" / "list.csv").write_text("\n".join(lines) + "\n")
    return root


def config(**changes):
    return build_config(MixtureConfig, MIXTURE | changes, "test")


def contents(folder):
    """{path: hash} of everything a build leaves, without what only a resumed build needs."""
    files = [
        path for path in folder.rglob("*") if path.is_file() and "build" not in path.relative_to(folder).parts
    ]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def finished(raw_root, tmp_path_factory):
    """A finished build by one process; nobody may change it."""
    root = tmp_path_factory.mktemp("finished")
    build(config(), raw_root, root, n_workers=1)
    return root / "small"


def test_the_manifest_counts_what_is_in_the_shards(finished):
    manifest = load_manifest(finished)
    seen: dict[tuple, int] = {}
    for shard in manifest.shards:
        samples = list(iterate_shard(finished / shard.path))
        assert len(samples) == shard.n_samples <= 5
        for key, _, meta in samples:
            assert key.startswith(shard.source + "-") and "." not in key
            assert (meta["source"], meta["split"]) == (shard.source, shard.split)
            place = (meta["source"], meta["class_key"], meta["split"], meta["class_id"])
            seen[place] = seen.get(place, 0) + 1
    assert seen == {(e.source, e.class_key, e.split, e.class_id): e.n_images for e in manifest.classes}
    assert [entry.class_id for entry in manifest.classes] == list(range(len(manifest.classes)))


def test_every_step_did_its_part(finished):
    manifest = load_manifest(finished)
    images = {step: count["images"] for step, count in manifest.counts["toys"].items()}
    # 62 files, one of them no image; ten classes of two or more: 2 val, 2 test, 6 train; and the lonely one
    assert images == {
        "scan": 62,
        "decode check": 61,
        "exact duplicates": 61,
        "splits": 61,
        "leak guard": 61,
        "queries": 61,
        "minimum per class": 60,
        "number of classes": 60,
        "cap per class": 48,
    }
    assert manifest.rejects == {
        "class below minimum": 1,
        "html page": 1,
        "missing file": 1,
        "over class cap": 12,
    }
    assert manifest.repeat_to_by_source == {"toys": 6}
    per_split = (
        pl.DataFrame([vars(entry) for entry in manifest.classes])
        .group_by("source", "split")
        .agg(pl.len(), pl.col("n_images").sum())
    )
    assert set(per_split.iter_rows()) == {
        ("toys", "train", 6, 24),
        ("toys", "val", 2, 12),
        ("toys", "test", 2, 12),
        ("listed", "train", 1, 2),
        ("listed", "test", 1, 2),
    }


def test_the_catalogue_keeps_every_row(finished):
    table = pl.read_parquet(finished / "catalogue.parquet")
    assert table.height == 62 + 5
    assert table.filter(pl.col("path") == "listed/gone.jpg")["reject_reason"].item() == "missing file"
    assert len((finished / "rejects.csv").read_text().splitlines()) == 1 + 15
    assert (finished / "report.html").is_file()


def test_keys_and_paths_are_unique(finished):
    samples = [sample for path in sorted(finished.glob("*/*.tar")) for sample in iterate_shard(path)]
    assert len(samples) == 52
    assert len({key for key, _, _ in samples}) == len({meta["source_path"] for _, _, meta in samples}) == 52


def test_the_number_of_workers_does_not_change_a_byte(finished, raw_root, tmp_path):
    build(config(), raw_root, tmp_path, n_workers=2)
    assert contents(tmp_path / "small") == contents(finished)


def test_the_manifest_can_be_built_again_as_it_stands(finished, raw_root, tmp_path):
    again = build_config(MixtureConfig, load_manifest(finished).mixture, "manifest")
    build(again, raw_root, tmp_path, n_workers=1)
    assert contents(tmp_path / "small") == contents(finished)


@pytest.mark.parametrize("n_before", [0, 1, 6])
def test_an_interrupted_build_goes_on_to_the_same_bytes(finished, raw_root, tmp_path, monkeypatch, n_before):
    written = []

    def stops(task):
        if len(written) == n_before:
            raise KeyboardInterrupt
        written.append(task.path)
        return write_shard(task)

    monkeypatch.setattr(build_module, "write_shard", stops)
    with pytest.raises(KeyboardInterrupt):
        build(config(), raw_root, tmp_path, n_workers=1)
    assert not (tmp_path / "small" / "manifest.json").exists()
    times = {path: (tmp_path / "small" / path).stat().st_mtime_ns for path in written}
    monkeypatch.setattr(build_module, "write_shard", write_shard)
    build(config(), raw_root, tmp_path, n_workers=1)
    assert contents(tmp_path / "small") == contents(finished)
    assert times == {path: (tmp_path / "small" / path).stat().st_mtime_ns for path in written}


def test_a_killed_process_loses_nothing(finished, raw_root, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(MIXTURE))
    command = [sys.executable, "-m", "data_prep.build", str(path), "--raw-root", str(raw_root)]
    command += ["--shards-root", str(tmp_path), "--workers", "1"]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("small/*/*.tar")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(tmp_path.glob("small/*/*.tar"))
    (tmp_path / "small" / "train" / ".toys-000001.tar.1.unfinished").write_bytes(b"half")
    build(config(), raw_root, tmp_path, n_workers=1)
    assert contents(tmp_path / "small") == contents(finished)


def test_a_packed_image_is_decoded_once(finished, raw_root, tmp_path, monkeypatch):
    def decodes_again(content, **settings):
        raise AssertionError("a second decode")

    monkeypatch.setattr(shards_module, "prepare_image", decodes_again)
    build(config(), raw_root, tmp_path, n_workers=1)
    assert contents(tmp_path / "small") == contents(finished)
    assert not (tmp_path / "small" / "build" / "encoded").exists()


@pytest.mark.parametrize("lost", ["nothing encoded ahead", "half of it", "damaged"])
def test_what_was_not_encoded_ahead_is_encoded_late(finished, raw_root, tmp_path, monkeypatch, lost):
    def guess(config, catalogue):
        paths = catalogue["path"].unique().sort()
        return paths.clear() if lost == "nothing encoded ahead" else paths.gather_every(2)

    def stops(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(build_module, "likely_packed", guess)
    if lost == "damaged":
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(build_module, "plan_shards", stops)
            build(config(), raw_root, tmp_path, n_workers=1)
        for encoded in (tmp_path / "small" / "build" / "encoded").rglob("*.jpgs"):
            encoded.write_bytes(b"?" * encoded.stat().st_size)
    build(config(), raw_root, tmp_path, n_workers=1)
    assert contents(tmp_path / "small") == contents(finished)


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_shards_behind_a_url(finished, raw_root, tmp_path, monkeypatch, scheme):
    monkeypatch.chdir(tmp_path)
    root = "memory://bucket/shards" if scheme == "memory" else f"file://{tmp_path}/bucket"
    assert build(config(), raw_root, root, n_workers=1) == f"{root}/small/manifest.json"
    there = {}
    for path in contents(finished):
        with open_to_read(f"{root}/small/{path}") as stream:
            there[path] = hashlib.sha256(stream.read()).hexdigest()
    assert there == contents(finished)
    assert list_files(f"{root}/small", "*/*.tar") == {path for path in there if path.endswith(".tar")}
    manifest = load_manifest(f"{root}/small")
    assert manifest == load_manifest(finished)
    samples = [meta for shard in manifest.shards for _, _, meta in iterate_shard(f"{root}/small/{shard.path}")]
    assert len(samples) == 52
    assert (tmp_path / "build" / "small" / "done").is_dir()


def test_a_build_to_a_url_goes_on_and_replaces(finished, raw_root, tmp_path, monkeypatch):
    root, written = f"file://{tmp_path}/bucket", []

    def stops(task):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(task.path)
        return write_shard(task)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(build_module, "write_shard", stops)
        build(config(), raw_root, root, n_workers=1, build_root=tmp_path / "work")
    times = {path: (tmp_path / "bucket" / "small" / path).stat().st_mtime_ns for path in written}
    build(config(), raw_root, root, n_workers=1, build_root=tmp_path / "work")
    assert times == {path: (tmp_path / "bucket" / "small" / path).stat().st_mtime_ns for path in written}
    assert contents(tmp_path / "bucket" / "small") == contents(finished)
    with pytest.raises(ConfigError, match=r"bucket/small: built with other settings \(image_px: 24 there, 16"):
        build(config(image_px=16), raw_root, root, n_workers=1, build_root=tmp_path / "elsewhere")
    build(config(samples_per_shard=20), raw_root, root, n_workers=1, replace=True, build_root=tmp_path / "work")
    assert len(list((tmp_path / "bucket" / "small").glob("*/*.tar"))) == len(
        load_manifest(f"{root}/small").shards
    )


def test_two_builds_in_one_folder(raw_root, tmp_path):
    message = f"another build works in this folder: process {os.getpid()} on"
    with only_build_in(tmp_path / "small" / "build"), pytest.raises(ConfigError, match=message):
        build(config(), raw_root, tmp_path, n_workers=1)
    build(config(), raw_root, tmp_path, n_workers=1)


def test_building_again_changes_nothing(finished, raw_root, tmp_path):
    build(config(), raw_root, tmp_path, n_workers=1)
    shards = list((tmp_path / "small").glob("*/*.tar"))
    times = [path.stat().st_mtime_ns for path in shards]
    build(config(), raw_root, tmp_path, n_workers=1)
    assert [path.stat().st_mtime_ns for path in shards] == times
    assert contents(tmp_path / "small") == contents(finished)


def test_other_settings_in_the_same_folder_are_refused_by_name(raw_root, tmp_path):
    build(config(), raw_root, tmp_path, n_workers=1)
    before = contents(tmp_path / "small")
    with pytest.raises(ConfigError, match=r"image_px: 24 there, 16 asked for.*--replace"):
        build(config(image_px=16), raw_root, tmp_path, n_workers=1)
    sources = [MIXTURE["sources"][0] | {"cap_per_class": 9}, MIXTURE["sources"][1]]
    with pytest.raises(ConfigError, match=r"sources\.0\.cap_per_class: 4 there, 9 asked for"):
        build(config(sources=sources), raw_root, tmp_path, n_workers=1)
    assert contents(tmp_path / "small") == before


def test_replace_leaves_what_a_fresh_build_would(finished, raw_root, tmp_path):
    build(config(samples_per_shard=2), raw_root, tmp_path, n_workers=1)
    build(config(), raw_root, tmp_path, n_workers=1, replace=True)
    assert contents(tmp_path / "small") == contents(finished)


def test_a_build_that_failed_before_any_shard_does_not_block_other_settings(raw_root, tmp_path):
    with pytest.raises(ConfigError, match="no folder"):
        build(config(), tmp_path / "nowhere", tmp_path, n_workers=1)
    build(config(image_px=16), raw_root, tmp_path, n_workers=1)


def test_a_new_raw_file_is_taken_in(raw_root, tmp_path):


    shutil.copytree(raw_root, tmp_path / "raw")
    build(config(), tmp_path / "raw", tmp_path, n_workers=1)
    for n in range(2):
        picture(tmp_path / "raw" / "toys" / "new" / f"{n}.jpg", np.random.default_rng(9 + n))
    path = build(config(), tmp_path / "raw", tmp_path, n_workers=1)
    assert "new" in {entry.class_key for entry in load_manifest(path.parent).classes}
    assert len({path.name for path in (tmp_path / "small").glob("*/*.tar")}) == len(
        {Path(shard.path).name for shard in load_manifest(path.parent).shards}
    )


def test_a_source_without_a_usable_image_is_an_error_with_its_rejects(tmp_path):
    (tmp_path / "raw" / "toys" / "a").mkdir(parents=True)
    (tmp_path / "raw" / "toys" / "a" / "1.jpg").touch()
    with pytest.raises(ConfigError, match=r"toys: no image left; turned away: \{'empty file': 1\}"):
        build(config(sources=MIXTURE["sources"][:1]), tmp_path / "raw", tmp_path, n_workers=1)


def test_the_command_line(raw_root, tmp_path, capsys):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(MIXTURE))
    arguments = [str(path), "--raw-root", str(raw_root), "--shards-root", str(tmp_path), "--workers", "1"]
    assert main([*arguments, "image_px=16", "name=other"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == str(tmp_path / "other" / "manifest.json")
    assert "cap per class" in captured.err
    assert json.loads((tmp_path / "other" / "manifest.json").read_text())["mixture"]["image_px"] == 16


def test_the_command_line_reports_mistakes_without_a_traceback(tmp_path, capsys):
    assert main(["no_such_mixture"]) == 2
    assert "error: mixtures: no mixture 'no_such_mixture'; known:" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["pocket", "--raw", "x"])  # abbreviations and unknown flags are not guessed at


def test_near_duplicates_are_a_step_and_a_table_where_the_mixture_asks_for_them(finished, raw_root, tmp_path):
    """A photograph of toy1 encoded again: in its own class and, once more, in toy2."""
    shutil.copytree(raw_root, tmp_path / "raw")
    photo = Image.open(tmp_path / "raw" / "toys" / "toy1" / "3.jpg")
    for copy, quality in (("toy1/small.jpg", 70), ("toy2/copy.jpg", 75)):
        photo.save(tmp_path / "raw" / "toys" / copy, quality=quality)
    settings = {"near_duplicates": {"max_bits": 10, "across_classes": "report"}}
    folder = build(config(**settings), tmp_path / "raw", tmp_path, n_workers=1).parent
    table = pl.read_csv(folder / "near_duplicates.csv")
    table = table.with_columns(pl.col("path", "other_path").str.split("/").list.last())
    assert set(table.select("path", "decision").rows()) == {
        ("3.jpg", "kept"), ("copy.jpg", "kept"), ("small.jpg", "kept"), ("small.jpg", "dropped"),
    }  # fmt: skip
    assert table.filter(pl.col("decision") == "dropped")["other_path"].to_list() == ["3.jpg"]
    counts = load_manifest(folder).counts["toys"]
    assert counts["near duplicates"]["images"] == counts["exact duplicates"]["images"] - 1
    assert "near duplicates" not in load_manifest(finished).counts["toys"]
    assert "near duplicate in class" in (folder / "rejects.csv").read_text()
    assert not (finished / "near_duplicates.csv").exists()


def test_a_build_of_the_time_before_these_keys_goes_on(finished, raw_root, tmp_path):
    shutil.copytree(finished, tmp_path / "small")
    settings = json.loads((tmp_path / "small" / "build" / "settings.json").read_text())
    for key in ("near_duplicates", "leak_guard"):
        assert settings.pop(key) is None
    (tmp_path / "small" / "build" / "settings.json").write_text(json.dumps(settings))
    build(config(), raw_root, tmp_path, n_workers=1)
    assert contents(tmp_path / "small") == contents(finished)


def test_a_guard_file_is_part_of_what_a_build_is(raw_root, tmp_path):
    guard = tmp_path / "guard.csv"
    guard.write_text("sha256\n" + "0" * 64 + "\n")
    guarded = config(leak_guard=[str(guard)])
    build(guarded, raw_root, tmp_path, n_workers=1)
    first = load_manifest(tmp_path / "small")
    assert first.input_files == {str(guard): hashlib.sha256(guard.read_bytes()).hexdigest()}
    listed = hashlib.sha256((raw_root / "listed" / "a.jpg").read_bytes()).hexdigest()
    guard.write_text(f"sha256\n{listed}\n")
    with pytest.raises(ConfigError, match=r"guard\.csv has changed: sha256 .*say --replace"):
        build(guarded, raw_root, tmp_path, n_workers=1)
    (tmp_path / "small" / "manifest.json").unlink()  # as if it had been interrupted
    with pytest.raises(ConfigError, match=r"guard\.csv has changed"):
        build(guarded, raw_root, tmp_path, n_workers=1)
    build(guarded, raw_root, tmp_path, n_workers=1, replace=True)
    again = load_manifest(tmp_path / "small")
    assert again.mixture == first.mixture and again.input_files != first.input_files
    assert again.counts["listed"]["leak guard"]["images"] == first.counts["listed"]["leak guard"]["images"] - 1
