"""A tiny trained-looking embedder and its exported file, made once for all tests of the package."""

import pytest
import torch

from export.torchscript import export_submission
from train.data.preprocessing import PreprocessSpec
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head


@pytest.fixture(autouse=True)
def _no_named_host(monkeypatch):
    """The developer's own setting must not change what the tests see."""
    monkeypatch.delenv("GUIE_HOST_PYTHON", raising=False)


@pytest.fixture(scope="session")
def tiny_spec():
    return PreprocessSpec(32, (0.5, 0.4, 0.3), (0.5, 0.25, 0.2))


@pytest.fixture(scope="session")
def make_embedder():
    def make(head_kind="linear", out_dim=64, arch="conv16"):
        """Random weights from a fixed seed, batch norm with statistics of its own, in evaluation mode."""
        backbone = build_backbone(BackboneSpec("tiny", arch, None, 32))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            embedder = Embedder(backbone, build_head(head_kind, backbone.width, out_dim, hidden_dim=24, dropout=0.2))
            for module in embedder.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.running_mean.normal_(std=0.1)
                    module.running_var.uniform_(0.5, 2.0)
        return embedder.eval()

    return make


@pytest.fixture(scope="session")
def tiny_embedder(make_embedder):
    return make_embedder()


@pytest.fixture(scope="session")
def exported(tmp_path_factory, tiny_embedder, tiny_spec):
    path = tmp_path_factory.mktemp("exported") / "saved_model.pt"
    export_submission(tiny_embedder, tiny_spec, path)
    return path
