"""A tiny trained-looking embedder and its exported file, made once for all tests of the package."""

import os
from pathlib import Path

import pytest
import torch

from export import host_runtime
from export.torchscript import export_submission
from train.data.preprocessing import PreprocessSpec
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import build_embedder
from train.model.image_model import ImageModel

_IN_REPOSITORY = Path(__file__).parents[2] / ".venv-host" / "bin" / "python"
_HOST = Path(os.environ.get("GUIE_HOST_PYTHON") or _IN_REPOSITORY)


@pytest.fixture(autouse=True)
def _no_host(monkeypatch, tmp_path):
    """Whether this machine has the host's PyTorch must not change what the tests see; see `real_host`."""
    monkeypatch.delenv("GUIE_HOST_PYTHON", raising=False)
    monkeypatch.setattr(host_runtime, "_DEFAULT_PYTHON", tmp_path / "no-host")


@pytest.fixture
def real_host(monkeypatch):
    """The host's own PyTorch, in use for this test; skipped where there is none."""
    if not _HOST.is_file():
        pytest.skip("no torch 1.11 here: make host-runtime makes it")
    monkeypatch.setenv("GUIE_HOST_PYTHON", str(_HOST))
    return _HOST


@pytest.fixture(scope="session")
def tiny_spec():
    return PreprocessSpec(32, (0.5, 0.4, 0.3), (0.5, 0.25, 0.2))


@pytest.fixture(scope="session")
def make_embedder():
    def make(head_kind="linear", out_dim=64, arch="conv16", options=None, image_sizes=False):
        """Random weights from a fixed seed, batch norm with statistics of its own, in evaluation mode."""
        backbone = build_backbone(BackboneSpec("tiny", arch, None, 32))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            head = {"kind": head_kind, "out_dim": out_dim, "hidden_dim": 24, "dropout": 0.2, "options": options}
            embedder = build_embedder(backbone, head | {"image_sizes": image_sizes})
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
    export_submission(ImageModel([tiny_embedder], [tiny_spec]), path)
    return path
