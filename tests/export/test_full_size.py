"""The real ViT-H/14, 632 million parameters, exported and checked here: random weights, no download."""

import json
from types import SimpleNamespace

import pytest
import torch

from export.gate import export_checked
from train.data.preprocessing import PreprocessSpec
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head
from train.model.image_model import ImageModel


@pytest.mark.slow
def test_vit_h_14_passes_every_check(tmp_path):
    torch.manual_seed(0)
    backbone = build_backbone(BackboneSpec("open_clip", "ViT-H-14", None, 224))
    embedder = Embedder(backbone, build_head("linear", backbone.width, 64, dropout=0.2)).eval()
    model = ImageModel([embedder], [PreprocessSpec(224, backbone.mean, backbone.std)])
    checkpoint = SimpleNamespace(model=model, sha256="")
    report = export_checked(checkpoint, tmp_path / "saved_model.pt")
    assert report["archive_version"] == 4
    assert report["model_bytes"] == pytest.approx(2.529e9, rel=0.01)
    assert report["parity"]["cosine_min"] > 0.99999
    assert report["budget"]["n_parameters"] == 632_142_400
    assert report["budget"]["verdict"] == "fits"
    assert {check["verdict"] for check in report["checks"]} <= {"passed", "not run"}
    print(json.dumps(report, indent=2))
