import pytest
import torch

from data_prep.errors import ConfigError
from train.checkpoint import load_checkpoint, save_checkpoint
from train.concatenation import load_model, save_concatenation
from train.data.preprocessing import PreprocessSpec, View
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import build_embedder

HEAD = {"kind": "linear", "out_dim": 4}
SPEC = PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3, views=(View(), View(crop=0.9)))


@pytest.fixture
def single(tmp_path):
    embedder = build_embedder(build_backbone(BackboneSpec("tiny", "conv16", None, 16)), HEAD)
    save_checkpoint(tmp_path / "one.ckpt", embedder, HEAD, SPEC, (torch.randn(3, 1, 4), ("a", "b", "c")), {"run": "x"})
    return tmp_path / "one.ckpt"


def test_a_checkpoint_of_one_tower_is_a_model_of_one(single):
    loaded, checkpoint = load_model(single), load_checkpoint(single)
    assert loaded.model.specs == (SPEC,) == checkpoint.model.specs and loaded.model.weights == (1.0,)
    assert loaded.model.projection is None and not loaded.model.training
    assert (loaded.meta, loaded.sha256) == (checkpoint.meta, checkpoint.sha256)
    state, own = loaded.model.embedders[0].state_dict(), checkpoint.embedder.state_dict()
    assert state.keys() == own.keys() and all(torch.equal(state[name], own[name]) for name in own)


def test_the_file_holds_everything_and_loads_as_data(single, tmp_path):
    one = load_checkpoint(single)
    layer = torch.nn.Linear(8, 2)
    save_concatenation(tmp_path / "both.ckpt", [one, one], [0.6, 0.8], layer, {"note": "two"})
    loaded = load_model(tmp_path / "both.ckpt")
    assert loaded.model.specs == (SPEC, SPEC) and loaded.model.weights == (0.6, 0.8) and loaded.meta == {"note": "two"}
    assert torch.equal(loaded.model.projection.weight, layer.weight)
    assert torch.equal(loaded.model.projection.bias, layer.bias)
    content = torch.load(tmp_path / "both.ckpt", weights_only=True)
    assert content["format"] == 2 and len(content["members"]) == 2


def test_damaged_files_are_named(single, tmp_path):
    path = tmp_path / "both.ckpt"
    save_concatenation(path, [load_checkpoint(single)], [1.0], None, {})
    content = torch.load(path, weights_only=True)
    torch.save(content | {"weights": [1.0, 2.0]}, path)
    with pytest.raises(ConfigError, match="does not build: 1 embedders, 1 specs, 2 weights"):
        load_model(path)
    torch.save(content | {"format": 3}, path)
    with pytest.raises(ConfigError, match="checkpoint format 3, this code reads 1 and 2"):
        load_model(path)
    del content["weights"]
    torch.save(content, path)
    with pytest.raises(ConfigError, match="not one of this project's checkpoints"):
        load_model(path)
