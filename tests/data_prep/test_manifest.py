import json

import pytest

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file
from data_prep.manifest import ClassEntry, Manifest, ShardEntry, load_manifest, save_manifest

MANIFEST = Manifest(
    mixture={"name": "m", "seed": 0},
    versions={"pillow": "1"},
    classes=[ClassEntry(0, "cars", "cars", "007", "train", 3)],
    shards=[ShardEntry("train/cars-000000.tar", "train", "cars", "cars", 3, 10240, "ab" * 32)],
    repeat_to_by_source={"cars": 5},
    rejects={"truncated": 1},
    counts={"cars": {"scan": {"images": 4, "classes": 1}}},
    input_files={"guard.csv": "cd" * 32},
)


def test_written_and_read_back(tmp_path):
    path = save_manifest(MANIFEST, tmp_path)
    assert path == tmp_path / "manifest.json"
    loaded = load_manifest(tmp_path)
    assert loaded.sha256 == sha256_of_file(path)
    assert {**vars(loaded), "sha256": ""} == vars(MANIFEST)


def test_one_of_before_input_files_were_noted_is_read(tmp_path):
    path = save_manifest(MANIFEST, tmp_path)
    tree = json.loads(path.read_text())
    del tree["input_files"]
    path.write_text(json.dumps(tree))
    assert load_manifest(tmp_path).input_files == {}


def test_the_same_manifest_gives_the_same_bytes(tmp_path):
    first = save_manifest(MANIFEST, tmp_path / "a").read_bytes()
    assert save_manifest(load_manifest(tmp_path / "a"), tmp_path / "b").read_bytes() == first


def test_a_folder_without_it_is_unfinished(tmp_path):
    with pytest.raises(ConfigError, match="the build did not finish"):
        load_manifest(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree.update(format_version=99), "format_version is 99, expected 1"),
        (lambda tree: tree.pop("shards"), "'shards'"),
        (lambda tree: tree["classes"][0].pop("split"), "split"),
        (lambda tree: tree.update(colour=1), "colour"),
    ],
)
def test_a_wrong_manifest_says_what_is_wrong(tmp_path, change, message):
    path = save_manifest(MANIFEST, tmp_path)
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    with pytest.raises(ConfigError) as caught:
        load_manifest(tmp_path)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_not_a_manifest_at_all(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ConfigError):
        load_manifest(tmp_path)
