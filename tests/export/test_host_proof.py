"""The file there beside the model here; the default tests run the file in this PyTorch, as a stand-in."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from data_prep.errors import ConfigError
from export.host_proof import (
    MORE_SIZES_PX,
    model_of,
    pictures_below,
    prove_on_host,
    summary,
    written_samples,
)
from export.sample_images import SIZES_PX
from export.torchscript import export_submission
from train.checkpoint import save_checkpoint
from train.data.preprocessing import PreprocessSpec, View
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head
from train.model.image_model import ImageModel

ALL_SIZES_PX = (*SIZES_PX, *MORE_SIZES_PX)


@pytest.fixture
def here(probe_in_this_process):
    return Path("no-python")


def test_the_file_of_a_model_is_proven_and_that_of_another_is_not(
    here, exported, tiny_embedder, make_embedder, tiny_spec
):
    model = ImageModel([tiny_embedder], [tiny_spec])
    with written_samples(((40, 30), (1, 1), (1, 500))) as paths:
        proof = prove_on_host(here, exported, model, paths)
        other = prove_on_host(here, exported, ImageModel([make_embedder("mlp")], [tiny_spec]), paths)
        wide = prove_on_host(here, exported, ImageModel([make_embedder("identity", 16)], [tiny_spec]), paths)
    assert proof.ok and [picture.size_px for picture in proof.pictures] == [(40, 30), (1, 1), (1, 500)]
    assert all(picture.same_pixels and picture.max_difference < 1e-3 for picture in proof.pictures)
    assert not other.ok and other.worst.cosine < 0.999 and "required 0.9999" in other.describe()
    assert not wide.ok  # 16 numbers are not 64
    record = json.loads(json.dumps(proof.to_dict()))
    assert record["ok"] is True and len(record["pictures"]) == 3 and record["versions"]["torch"] == torch.__version__


def test_a_broken_picture_is_a_reject_with_its_reason(here, exported, tiny_embedder, tiny_spec, tmp_path):
    Image.new("RGB", (20, 10), (200, 10, 30)).save(tmp_path / "red.png")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "broken.JPG").write_text("text")
    (tmp_path / "notes.txt").write_text("no picture at all")
    paths = pictures_below(tmp_path)
    assert [path.name for path in paths] == ["broken.JPG", "red.png"]
    proof = prove_on_host(here, exported, ImageModel([tiny_embedder], [tiny_spec]), paths)
    assert len(proof.pictures) == 1 and "UnidentifiedImageError" in proof.rejects[str(paths[0])]
    lines = summary(proof, tmp_path / "final.ckpt")
    assert any(line.startswith("rejected:") and "broken.JPG" in line for line in lines)
    assert any("20 x 10 to 20 x 10" in line for line in lines) and not any("decoding" in line for line in lines)
    with pytest.raises(ConfigError, match="1 given, none can be read"):
        prove_on_host(here, exported, ImageModel([tiny_embedder], [tiny_spec]), paths[:1])


def test_no_pictures_and_a_model_in_training_are_errors(here, exported, make_embedder, tiny_spec, tmp_path):
    with pytest.raises(ConfigError, match="expected a folder with pictures"):
        pictures_below(tmp_path / "none")
    with pytest.raises(ValueError, match="training"):
        prove_on_host(here, exported, ImageModel([make_embedder().train()], [tiny_spec]), [])


def test_the_checkpoint_must_be_the_one_it_was_made_from(exported, tmp_path):
    head_spec = {"kind": "linear", "out_dim": 64}
    backbone = build_backbone(BackboneSpec("tiny", "conv16", None, 32))
    embedder = Embedder(backbone, build_head(width=backbone.width, **head_spec))
    checkpoint, model_path = tmp_path / "final.ckpt", tmp_path / "saved_model.pt"
    with pytest.raises(ConfigError, match=r"saved_model\.pt: no such file; make export"):
        model_of(model_path, checkpoint)
    model_path.write_bytes(exported.read_bytes())
    with pytest.raises(ConfigError, match=r"final\.ckpt: no such checkpoint; make train"):
        model_of(model_path, checkpoint)
    save_checkpoint(checkpoint, embedder, head_spec, PreprocessSpec(32, (0.5,) * 3, (0.5,) * 3), (None, ()), {})
    model, model_sha256 = model_of(model_path, checkpoint)
    assert not model.training
    report = {"model_sha256": model_sha256, "checkpoint_sha256": "0" * 64}
    (tmp_path / "export.json").write_text(json.dumps(report))
    with pytest.raises(ConfigError, match="made from checkpoint 000000000000, but"):
        model_of(model_path, checkpoint)


@pytest.mark.slow
@pytest.mark.parametrize("resize", ["squash", "shortest_crop", "pad"])
def test_the_real_host_gives_what_the_model_gives_at_every_size(real_host, make_embedder, tmp_path, resize):
    spec = PreprocessSpec(32, (0.5, 0.4, 0.3), (0.5, 0.25, 0.2), resize)
    model = ImageModel([make_embedder("mlp", image_sizes=True)], [spec])
    export_submission(model, tmp_path / "saved_model.pt")
    with written_samples(ALL_SIZES_PX) as paths:
        proof = prove_on_host(real_host, tmp_path / "saved_model.pt", model, paths)
    assert proof.ok and len(proof.pictures) == 13, proof.describe()
    assert proof.versions["torch"].startswith("1.11.") and proof.versions["torchvision"].startswith("0.12.")


@pytest.mark.slow
def test_the_real_host_runs_views_and_several_towers(real_host, tmp_path):
    towers = [build_backbone(BackboneSpec("tiny", "conv16", None, 32)),
              build_backbone(BackboneSpec("open_clip", "ViT-S-32-alt", None, 64))]
    views = ((View(), View(flip=True), View(image_px=48), View(crop=0.9)), (View(resize="pad"), View(flip=True)))
    model = ImageModel(
        [Embedder(tower, build_head("linear", tower.width, 40)).eval() for tower in towers],
        [PreprocessSpec(tower.spec.image_px, tower.mean, tower.std, views=own) for tower, own in zip(towers, views)],
        projection=torch.nn.Linear(80, 64),
    ).eval()
    export_submission(model, tmp_path / "saved_model.pt")
    with written_samples(SIZES_PX) as paths:
        proof = prove_on_host(real_host, tmp_path / "saved_model.pt", model, paths)
    assert proof.ok, proof.describe()
