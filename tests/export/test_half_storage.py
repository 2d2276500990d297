"""float16 in the file, float32 in memory, the same answers within float16's rounding."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from export.archive import archive_version
from export.contract import check_contract
from export.half_storage import HELD_AS_BUFFER, store_half, survives_rounding
from export.host_runtime import embed_in_host
from export.parity import check_parity
from export.sample_images import sample_images
from export.torchscript import export_submission
from train.data.preprocessing import PreprocessSpec, View
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.image_model import ImageModel

IMAGES = sample_images(seed=3, sizes_px=((64, 48), (33, 127), (1, 90)))


@pytest.fixture(scope="module")
def towers():
    """An open_clip transformer that becomes a `PortableViT`, and a timm one that is traced as it is."""
    torch.manual_seed(0)
    clip = build_backbone(BackboneSpec("open_clip", "ViT-B-32", None, 64, narrow_width=256))
    timm = build_backbone(BackboneSpec("timm", "vit_tiny_patch16_224", None, 64))
    return [Embedder(tower, nn.Linear(tower.width, 32)).eval() for tower in (clip, timm)]


@pytest.fixture(scope="module")
def model(towers):
    views = (View(), View(flip=True), View(crop=0.8, at="top_left"))
    specs = [PreprocessSpec(64, tower.backbone.mean, tower.backbone.std, views=views) for tower in towers]
    return ImageModel(towers, [specs[0], replace(specs[1], resize="pad", views=(View(),))]).eval()


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("halves")
    for weights in ("fp32", "fp16"):
        export_submission(model, folder / f"{weights}.pt", weights)
    return {weights: folder / f"{weights}.pt" for weights in ("fp32", "fp16")}


def test_half_the_file_the_same_answers(files, model):
    assert files["fp16"].stat().st_size < 0.56 * files["fp32"].stat().st_size
    assert archive_version(files["fp16"]) <= 9
    parity = check_parity(files["fp16"], model, IMAGES)
    assert parity.check.ok
    plain = check_parity(files["fp32"], model, IMAGES)
    assert min(parity.cosines) < min(plain.cosines)  # the rounding shows, so it was done


def test_everything_is_float32_once_loaded_and_follows_a_move(files):
    loaded = torch.jit.load(str(files["fp16"]), map_location="cpu")
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}
    images = torch.randint(0, 256, (3, 3, 40, 50), dtype=torch.uint8)
    with torch.no_grad():  # the trace was made with another batch
        one_by_one = torch.cat([loaded(image[None]) for image in images])
        assert torch.allclose(loaded(images), one_by_one, atol=1e-5)
    held = [name for name, _ in loaded.named_buffers() if name.endswith(HELD_AS_BUFFER)]
    assert len(held) >= 20
    assert {value.dtype for value in loaded.double().state_dict().values()} == {torch.float64}


@pytest.mark.slow
def test_every_check_passes(files):
    assert {check.name for check in check_contract(files["fp16"]) if check.ok is False} == set()


def test_it_loads_in_the_real_host_with_the_same_numbers(files, real_host):
    raw = [torch.randint(0, 256, (3, height, width), dtype=torch.uint8) for height, width in ((50, 70), (1, 9))]
    _, there = embed_in_host(real_host, files["fp16"], raw)
    here = torch.jit.load(str(files["fp16"]), map_location="cpu")
    for image, embedding in zip(raw, there):
        assert float(embedding @ here(image[None])[0]) > 0.99999


def test_small_tables_norms_and_what_half_cannot_hold_stay():
    torch.manual_seed(0)
    large = [nn.Linear(300, 300) for _ in range(3)]
    layer = nn.Sequential(large[0], nn.LayerNorm(300), large[1], large[2], nn.Linear(4, 4))
    with torch.no_grad():
        layer[2].weight[0, 0] = 1e5  # above float16's 65504
        layer[3].weight.mul_(1e-6)  # a few digits left
    store_half(layer)
    assert {name for name, _ in layer.named_buffers()} == {"0.weight_stored.value"}
    assert torch.equal(layer[0].weight, layer[0].weight.half().float())


@pytest.mark.parametrize(("values", "survives"), [
    ([1.0, -3.3, 1e-3], True), ([6.6e4], False), ([float("nan")], False), ([1e-7, 3e-7], False), ([0.0, 0.0], True),
])  # fmt: skip
def test_what_survives(values, survives):
    assert survives_rounding(torch.tensor(values)) is survives


def test_the_model_that_was_exported_is_left_alone(files, towers):
    assert all(parameter.dtype == torch.float32 for tower in towers for parameter in tower.parameters())
    assert not any(HELD_AS_BUFFER in name for tower in towers for name in tower.state_dict())
