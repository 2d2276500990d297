"""A few packed pictures for the benchmarks' tests."""

import numpy as np
import pytest
from PIL import Image

from data_prep.build import build
from data_prep.config_files import build_config
from data_prep.mixture import MixtureConfig


@pytest.fixture(scope="session")
def packed_for_benchmarks(tmp_path_factory):
    """Folder with manifest.json: 12 pictures of 40 x 32 px in 3 classes, half of them in each of train and val."""
    root, rng = tmp_path_factory.mktemp("packed"), np.random.default_rng(0)
    for number in range(24):
        path = root / "raw" / "photos" / f"class{number % 6}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8).repeat(8, 0).repeat(8, 1)).save(path, quality=92)
    config = build_config(MixtureConfig, {
        "name": "photos", "seed": 0, "image_px": 32,
        "sources": [{"source": "photos", "domain": "photos", "reader": "class_folders", "split": "by_class",
                     "val_fraction": 0.5, "test_fraction": 0.0}],
    }, "test")
    return build(config, root / "raw", root / "shards", n_workers=1).parent
