import json
from pathlib import Path

import pytest

from data_prep.build_settings import hash_input_files, refuse_other_settings, save_settings
from data_prep.config_files import build_config
from data_prep.errors import ConfigError
from data_prep.mixture import MixtureConfig
from data_prep.shard_plan import Folders

TREE = {"name": "m", "seed": 0, "image_px": 24, "sources": [{"source": "met", "split": "by_class"}]}


def config(**changes):
    return build_config(MixtureConfig, TREE | changes, "test")


def test_settings_noted_in_the_build_folder_are_compared(tmp_path):
    folders = Folders(Path("raw"), tmp_path).absolute()
    refuse_other_settings(folders, config(), {})
    save_settings(folders, config(), {})
    refuse_other_settings(folders, config(), {})
    with pytest.raises(ConfigError, match=r"seed: 0 there, 1 asked for; .*sources\.0\.source: 'met' there, 'sop'"):
        sources = [{"source": "sop", "reader": "class_folders", "domain": "d", "split": "by_class"}]
        refuse_other_settings(folders, config(seed=1, sources=[{**sources[0]}]), {})


def test_files_that_decide_are_hashed_and_one_that_changed_is_refused(tmp_path):
    guard, scores = tmp_path / "guard.csv", tmp_path / "label_scores.parquet"
    guard.write_text("abc")
    scores.write_text("")
    rule = {"source": "met", "split": "by_class", "label_scores": {"drop_below": 0.1}}
    using = config(leak_guard=[str(guard), str(tmp_path / "gone.csv")], sources=[rule])
    files = hash_input_files(using, tmp_path)
    assert files == {  # FIPS 180-2, example B.1, and the hash of nothing
        str(guard): "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "label_scores.parquet": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
    folders = Folders(Path("raw"), tmp_path / "shards").absolute()
    save_settings(folders, using, files)
    refuse_other_settings(folders, using, files)
    guard.write_text("abd")
    message = r"guard\.csv has changed: sha256 ba7816bf8f01\.\.\. there, a52d159f262b\.\.\. now"
    with pytest.raises(ConfigError, match=message):
        refuse_other_settings(folders, using, hash_input_files(using, tmp_path))


def test_a_build_of_before_the_hashes_were_noted_goes_on(tmp_path):
    folders = Folders(Path("raw"), tmp_path).absolute()
    folders.build_dir.mkdir()
    (folders.build_dir / "settings.json").write_text(json.dumps(config().model_dump(mode="json")))
    refuse_other_settings(folders, config(), {"guard.csv": "00"})
