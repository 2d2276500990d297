"""A tiny trained-looking embedder and its exported file, made once for all tests of the package."""

import contextlib
import io
import json

import pytest
import torch

from export import host_probe, host_proof
from export.host_calls import HostAnswer
from export.host_environment import find_host_python
from export.torchscript import export_submission
from train.data.preprocessing import PreprocessSpec
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import build_embedder
from train.model.image_model import ImageModel


@pytest.fixture
def real_host():
    """The host's own PyTorch, for slow tests; skipped where there is none."""
    python = find_host_python()
    if python is None:
        pytest.skip("no torch 1.11 here: make host-runtime makes it")
    return python


@pytest.fixture
def make_python(tmp_path):
    """An executable that claims a torch version and otherwise runs `otherwise`."""

    def make(version, otherwise="exit 3"):
        python = tmp_path / f"python-{version}"
        python.write_text(
            '#!/bin/sh\nfor word in "$@"; do\n'
            f'  if [ "$word" = print_version ]; then echo {version}; exit 0; fi\ndone\n{otherwise}\n'
        )
        python.chmod(0o755)
        return python

    return make


@pytest.fixture
def probe_in_this_process(monkeypatch, tmp_path):
    """Proofs run the probe here: what is tested is what becomes of its answer, and a process takes seconds."""

    def embed_pictures(python, model_path, paths, on_picture=lambda: None):
        inputs, outputs = tmp_path / "probe-paths.json", tmp_path / "probe-outputs.pt"
        inputs.write_text(json.dumps([str(path) for path in paths]))
        with contextlib.redirect_stdout(io.StringIO()) as said:
            host_probe.embed_pictures(str(model_path), str(inputs), str(outputs))
        for _ in said.getvalue().splitlines():
            on_picture()
        answer = torch.load(outputs, weights_only=True)
        inputs.unlink()
        outputs.unlink()
        return HostAnswer(answer["versions"], answer["embeddings"], answer["pixels"])

    monkeypatch.setattr(host_proof, "embed_pictures_in_host", embed_pictures)


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
