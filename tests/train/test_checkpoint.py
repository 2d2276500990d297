import pytest
import torch

from data_prep.errors import ConfigError
from train.checkpoint import load_checkpoint, save_checkpoint
from train.data.preprocessing import PreprocessSpec
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head

HEAD = {"kind": "linear", "out_dim": 4, "hidden_dim": 8}
SPEC = PreprocessSpec(32, (0.1, 0.2, 0.3), (0.5, 0.5, 0.5))


def make_embedder() -> Embedder:
    backbone = build_backbone(BackboneSpec("tiny", "conv16", None, 32))
    return Embedder(backbone, build_head(width=16, **HEAD))


def test_the_file_alone_rebuilds_the_embedder(tmp_path):
    embedder = make_embedder()
    for parameter in embedder.parameters():
        torch.nn.init.normal_(parameter)
    centres = torch.randn(3, 1, 4)
    save_checkpoint(tmp_path / "a.ckpt", embedder, HEAD, SPEC, (centres, ("a/1", "a/2", "b/1")), {"stage": "x"})
    loaded = load_checkpoint(tmp_path / "a.ckpt")
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded.embedder(images), embedder.eval()(images))
    assert loaded.preprocess == SPEC and loaded.meta == {"stage": "x"}
    assert torch.equal(loaded.centres, centres) and loaded.class_names == ("a/1", "a/2", "b/1")


def test_a_tower_without_its_projection_is_rebuilt_and_older_files_still_load(tmp_path):
    backbone = build_backbone(BackboneSpec("open_clip", "ViT-B-32", None, 64, 16, output="token", narrow_width=8))
    embedder = Embedder(backbone, build_head(width=backbone.width, **HEAD)).eval()
    save_checkpoint(tmp_path / "a.ckpt", embedder, HEAD, SPEC, (None, ()), {})
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(load_checkpoint(tmp_path / "a.ckpt").embedder(images), embedder(images))
    save_checkpoint(tmp_path / "b.ckpt", make_embedder(), HEAD, SPEC, (None, ()), {})
    content = torch.load(tmp_path / "b.ckpt", weights_only=True)
    del content["backbone"]["output"]  # as files were before the key
    torch.save(content, tmp_path / "b.ckpt")
    assert load_checkpoint(tmp_path / "b.ckpt").backbone_spec.output == "own"


def test_pretrained_weights_are_remembered_but_never_fetched(tmp_path):
    embedder = make_embedder()
    embedder.backbone.spec = BackboneSpec("tiny", "conv16", "hub:not-there", 32)
    save_checkpoint(tmp_path / "a.ckpt", embedder, HEAD, SPEC, (None, ()), {})
    assert load_checkpoint(tmp_path / "a.ckpt").backbone_spec.weights == "hub:not-there"


def test_a_checkpoint_of_another_model_names_what_differs(tmp_path):
    save_checkpoint(tmp_path / "a.ckpt", make_embedder(), HEAD | {"out_dim": 5}, SPEC, (None, ()), {})
    with pytest.raises(ConfigError, match=r"another model.*head\.1\.weight \(4, 16\) for \(5, 16\)"):
        load_checkpoint(tmp_path / "a.ckpt")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "lightning.ckpt")
    with pytest.raises(ConfigError, match=r"not one of this project's checkpoints: got .'state_dict'"):
        load_checkpoint(tmp_path / "lightning.ckpt")
    (tmp_path / "text.ckpt").write_text("hello")
    with pytest.raises(ConfigError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "text.ckpt")


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    torch.save({"x": Harm()}, tmp_path / "evil.ckpt")
    with pytest.raises(ConfigError, match="plain data"):
        load_checkpoint(tmp_path / "evil.ckpt")
    assert not (tmp_path / "harm").exists()
