"""The real 632M-parameter tower with random weights: one training step, save, export, contract, the host's own
PyTorch where it is there, budget. 24 GB are enough."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.build import build
from data_prep.config_files import build_config
from data_prep.mixture import MixtureConfig
from export.convert import main as convert
from export.host_environment import find_host_python
from train.checkpoint import load_checkpoint
from train.config import load_train_config
from train.stages.runner import Places, run_stages

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    """Two train classes, one val class, one test class, two images each."""
    root = tmp_path_factory.mktemp("packed")
    rng = np.random.default_rng(0)
    for number in range(4):
        (root / "raw" / "things" / f"c{number}").mkdir(parents=True)
        for image in range(2):
            pixels = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "raw" / "things" / f"c{number}" / f"{image}.jpg")
    config = build_config(MixtureConfig, {"name": "four", "seed": 0, "image_px": 224, "sources": [{
        "source": "things", "domain": "things", "reader": "class_folders",
        "split": "by_class", "val_fraction": 0.25, "test_fraction": 0.25,
    }]}, "test")
    return build(config, root / "raw", root / "shards", n_workers=1).parent


def test_vith14_trains_a_step_saves_exports_and_keeps_the_contract(packed, tmp_path):
    recipe = load_train_config("vith14", ("backbone.weights=null", "mixture=four", "accelerator=cpu", "n_workers=0"))
    everything = next(stage for stage in recipe.stages if stage.name == "everything")
    one_step = everything.model_copy(update={
        "epochs": None, "images": 2, "batch_size": 2, "accumulate_batches": 1, "rounds": 1,
        "classifier": everything.classifier.model_copy(update={"start": "new"}),
    })
    config = recipe.model_copy(update={"stages": (one_step,)})
    final_path = run_stages(config, Places(packed, tmp_path), resume=False)

    loaded = load_checkpoint(final_path)
    assert sum(p.numel() for p in loaded.embedder.backbone.parameters()) == 632_076_800
    assert sum(p.numel() for p in loaded.embedder.head.parameters()) == 1024 * 64 + 64
    assert loaded.preprocess.image_px == 224 and len(loaded.class_names) == 2
    del loaded

    model_path = tmp_path / "saved_model.pt"
    assert convert([str(final_path), "--out", str(model_path)]) == 0
    report = json.loads((tmp_path / "export.json").read_text())
    assert report["archive_version"] == 4 and report["model_bytes"] == pytest.approx(2.529e9, rel=0.01)
    assert report["parity"]["cosine_min"] > 0.99999
    assert report["budget"]["n_parameters"] == 632_142_400 and report["budget"]["verdict"] == "fits"
    verdicts = {check["name"]: check["verdict"] for check in report["checks"]}
    assert len(verdicts) >= 14 and "failed" not in verdicts.values(), report["checks"]
    assert verdicts["host runtime"] == ("passed" if find_host_python() else "not run")
