from pathlib import Path

import pytest

from data_prep.build_settings import refuse_other_settings, save_settings
from data_prep.config_files import build_config
from data_prep.errors import ConfigError
from data_prep.mixture import MixtureConfig
from data_prep.shard_plan import Folders

TREE = {"name": "m", "seed": 0, "image_px": 24, "sources": [{"source": "met", "split": "by_class"}]}


def config(**changes):
    return build_config(MixtureConfig, TREE | changes, "test")


def test_settings_noted_in_the_build_folder_are_compared(tmp_path):
    folders = Folders(Path("raw"), tmp_path).absolute()
    refuse_other_settings(folders, config())
    save_settings(folders, config())
    refuse_other_settings(folders, config())
    with pytest.raises(ConfigError, match=r"seed: 0 there, 1 asked for; .*sources\.0\.source: 'met' there, 'sop'"):
        sources = [{"source": "sop", "reader": "class_folders", "domain": "d", "split": "by_class"}]
        refuse_other_settings(folders, config(seed=1, sources=[{**sources[0]}]))
