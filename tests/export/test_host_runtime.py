"""Finding and calling the host's PyTorch; with a stand-in where it is not installed."""

import sys
from pathlib import Path

import pytest
import torch

from data_prep.errors import ConfigError, ContractError
from export import host_runtime
from export.contract import check_contract
from export.host_runtime import embed_in_host, find_host_python, operators_of_host
from export.torchscript import export_submission
from train.data.preprocessing import PreprocessSpec, View
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head
from train.model.image_model import ImageModel


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


def test_none_where_there_is_none():
    assert find_host_python() is None


def test_named_by_the_variable(monkeypatch, make_python):
    python = make_python("1.11.0+cu102")
    monkeypatch.setenv("GUIE_HOST_PYTHON", str(python))
    assert find_host_python() == python


def test_a_wrong_name_or_version_is_an_error_not_a_skip(monkeypatch, make_python, tmp_path):
    monkeypatch.setenv("GUIE_HOST_PYTHON", str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match=r"GUIE_HOST_PYTHON=.*missing: no such file; expected"):
        find_host_python()
    monkeypatch.setenv("GUIE_HOST_PYTHON", str(make_python("1.13.1")))
    with pytest.raises(ConfigError, match=r"expected torch 1\.11, got 1\.13\.1"):
        find_host_python()


def test_embeds_in_a_subprocess(exported, make_python):
    python = make_python("1.11.0", otherwise=f'exec {sys.executable} -W ignore "$@"')
    images = [torch.randint(0, 256, (3, 9, 11), dtype=torch.uint8)]
    version, embeddings = embed_in_host(python, exported, images)
    assert version == torch.__version__
    assert torch.allclose(embeddings[0], torch.jit.load(exported, map_location="cpu")(images[0][None])[0], atol=1e-6)


def test_an_abort_and_a_message_are_told(exported, make_python):
    with pytest.raises(ContractError, match="aborted by signal 6"):
        embed_in_host(make_python("1.11.1", otherwise="kill -ABRT $$"), exported, [])
    with pytest.raises(ContractError, match="Unknown builtin op"):
        embed_in_host(
            make_python("1.11.2", otherwise="echo 'RuntimeError: Unknown builtin op' >&2; exit 1"),
            exported,
            [],
        )


def test_the_operator_list_was_made_by_the_real_host(real_host):
    golden = (Path(host_runtime.__file__).parent / "operators_torch_1_11.txt").read_text().split()
    assert operators_of_host(real_host) == golden


@pytest.mark.parametrize(
    ("kind", "arch", "head_kind", "resize"),
    [
        ("tiny", "conv16", "mlp", "squash"),
        ("tiny", "conv16", "identity", "shortest_crop"),
        ("timm", "tf_efficientnet_lite0", "bn_linear", "squash"),
        ("timm", "vit_tiny_patch16_224", "linear", "squash"),
        ("open_clip", "ViT-S-32-alt", "linear", "squash"),
    ],
)
def test_the_real_host_gives_the_same_embeddings(real_host, tmp_path, kind, arch, head_kind, resize):
    backbone = build_backbone(BackboneSpec(kind, arch, None, 64))
    out_dim = backbone.width if head_kind == "identity" else 64
    embedder = Embedder(backbone, build_head(head_kind, backbone.width, out_dim)).eval()
    spec = PreprocessSpec(64, backbone.mean, backbone.std, resize)
    export_submission(ImageModel([embedder], [spec]), tmp_path / "saved_model.pt")
    results = {result.name: result for result in check_contract(tmp_path / "saved_model.pt", out_dim)}
    assert results["host runtime"].ok, results["host runtime"].detail


def test_the_real_host_runs_views_and_several_towers(real_host, tmp_path):
    towers = [build_backbone(BackboneSpec("tiny", "conv16", None, 32)),
              build_backbone(BackboneSpec("open_clip", "ViT-S-32-alt", None, 64))]
    views = ((View(), View(flip=True), View(image_px=48), View(crop=0.9)), (View(resize="pad"), View(flip=True)))
    model = ImageModel(
        [Embedder(tower, build_head("linear", tower.width, 40)).eval() for tower in towers],
        [PreprocessSpec(tower.spec.image_px, tower.mean, tower.std, views=own) for tower, own in zip(towers, views)],
        projection=torch.nn.Linear(80, 64),
    )
    export_submission(model, tmp_path / "saved_model.pt")
    results = {result.name: result for result in check_contract(tmp_path / "saved_model.pt")}
    assert results["host runtime"].ok, results["host runtime"].detail
