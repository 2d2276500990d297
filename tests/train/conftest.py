"""A packed miniature for the training tests: two sources of coloured patterns, 32 px, built by the real packer."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.build import build
from data_prep.config_files import build_config
from data_prep.mixture import MixtureConfig
from train.config import TrainConfig

STAGE = {
    "name": "one", "image_px": 16, "epochs": 1, "batch_size": 8, "optimizer": {"lr": 0.01},
    "lr_rules": [{"match": ".*", "scale": 1.0}], "margin": {"kind": "arcface", "margin_rad": 0.2},
    "classifier": {"scale": 16.0},
}


def draw_class_folders(folder: Path, n_classes: int, n_images: int, seed: int) -> None:
    """Each class is a grid of 4 x 4 colours; its images are noisy copies under coloured light, which hides it."""
    rng = np.random.default_rng(seed)
    for number in range(n_classes):
        grid = rng.integers(0, 256, (4, 4, 3))
        (folder / f"c{number:02d}").mkdir(parents=True)
        for image in range(n_images):
            light = rng.uniform(0.3, 1.0, 3)
            clean = np.kron(grid, np.ones((8, 8, 1))) * light + rng.uniform(0, 80, 3)
            pixels = clean + rng.normal(0, 30, (32, 32, 3))
            picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            picture.save(folder / f"c{number:02d}" / f"{image}.jpg", quality=95)


@pytest.fixture(scope="session")
def draw_patterns():
    """`draw_class_folders`, for worlds of a test's own."""
    return draw_class_folders


@pytest.fixture(scope="session")
def packed(tmp_path_factory) -> Path:
    """Folder with manifest.json: sources `disks` (10 classes x 6) and `tiles` (8 classes x 5), a quarter for val."""
    root = tmp_path_factory.mktemp("packed")
    draw_class_folders(root / "raw" / "disks", 10, 6, seed=1)
    draw_class_folders(root / "raw" / "tiles", 8, 5, seed=2)
    split = {"reader": "class_folders", "split": "by_class", "val_fraction": 0.25, "test_fraction": 0.25}
    config = build_config(MixtureConfig, {
        "name": "patterns", "seed": 0, "image_px": 32,
        "sources": [{"source": name, "domain": name, **split} for name in ("disks", "tiles")],
    }, "test")
    return build(config, root / "raw", root / "shards", n_workers=1).parent


@pytest.fixture(scope="session")
def packed_sizes(tmp_path_factory) -> Path:
    """Folder with manifest.json: source `disks` from pictures 40 px high and 40 to 90 px wide, packed at 32 px."""
    root = tmp_path_factory.mktemp("packed_sizes")
    draw_class_folders(root / "raw" / "disks", 10, 6, seed=1)
    for number, path in enumerate(sorted((root / "raw").rglob("*.jpg"))):
        with Image.open(path) as picture:
            resized = picture.resize((40 + 10 * (number % 6), 40))
        resized.save(path, quality=95)
    config = build_config(MixtureConfig, {
        "name": "sizes", "seed": 0, "image_px": 32,
        "sources": [{"source": "disks", "domain": "disks", "reader": "class_folders", "split": "by_class",
                     "val_fraction": 0.25, "test_fraction": 0.25}],
    }, "test")
    return build(config, root / "raw", root / "shards", n_workers=1).parent


@pytest.fixture
def make_config():
    """(stages as changes to STAGE, **top-level changes) -> TrainConfig on the tiny tower."""
    def make(*stages: dict, **changes) -> TrainConfig:
        tree = {
            "name": "test", "mixture": "patterns", "accelerator": "cpu",
            "backbone": {"kind": "tiny", "arch": "conv16", "weights": None},
            "head": {"kind": "linear", "out_dim": 8},
            "stages": [STAGE | stage for stage in stages],
        }
        return build_config(TrainConfig, tree | changes, "test")

    return make
