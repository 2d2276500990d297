import math

import numpy as np
import pytest
import torch

from train.loss_config import MarginConfig
from train.stages.margin import build_margin

COSINES = torch.tensor([[0.5, 0.1], [0.2, 0.3]])
IDS = torch.tensor([0, 1])


def with_margin(config, images_seen=0, rows=(0, 0, 0, 1)):
    margin = build_margin(MarginConfig(**config), np.array(rows), n_classes=2, n_images_per_epoch=10, scale=16.0)
    return margin(COSINES, IDS, torch.ones(2), images_seen)


def shifted(cosine, margin_rad):
    return pytest.approx(math.cos(math.acos(cosine) + margin_rad), abs=1e-5)


def test_margin_grows_by_epoch_up_to_its_limit():
    growing = {"kind": "arcface", "margin_rad": 0.3, "growth_per_epoch": 0.1, "max_margin_rad": 0.45}
    for images_seen, margin_rad in ((0, 0.3), (9, 0.3), (10, 0.4), (20, 0.45), (90, 0.45)):
        out = with_margin(growing, images_seen)
        assert out[0, 0].item() == shifted(0.5, margin_rad) and out[0, 1].item() == pytest.approx(0.1)


def test_a_margin_that_starts_above_the_limit_stays():
    assert with_margin({"kind": "arcface", "margin_rad": 0.9})[0, 0].item() == shifted(0.5, 0.9)


def test_the_rare_class_has_the_larger_margin():
    out = with_margin({"kind": "arcface", "margin_rad": 0.1, "rare_class_margin_rad": 0.5})
    assert out[0, 0].item() == shifted(0.5, 0.1)  # class 0 has 3 images
    assert out[1, 1].item() == shifted(0.3, 0.5)  # class 1 has 1


def test_the_mapping_by_class_size_is_chosen():
    # Sizes 3, 2 and 1: half way between, where the power -1/4 is at 0.38 of the way.
    config = {"kind": "arcface", "margin_rad": 0.1, "rare_class_margin_rad": 0.5, "class_size_mapping": "cosine"}
    margin = build_margin(MarginConfig(**config), np.array([0, 0, 0, 1, 1, 2]), 3, 10, 16.0)
    out = margin(torch.tensor([[0.1, 0.3, 0.2]]), torch.tensor([1]), torch.ones(1), 0)
    assert out[0, 1].item() == shifted(0.3, 0.3)


def test_cosface_and_none():
    assert with_margin({"kind": "cosface", "margin_cos": 0.2})[0, 0].item() == pytest.approx(0.3)
    assert torch.equal(with_margin({"kind": "none"}), COSINES)


ADAPTIVE = {"curricularface": {"margin_rad": 0.3}, "adaface": {"margin_rad": 0.3}, "adacos": {}}


@pytest.mark.parametrize("kind", ADAPTIVE)
def test_adaptive_kinds_keep_their_statistics_in_the_state(kind):
    margin = build_margin(MarginConfig(kind=kind, **ADAPTIVE[kind]), np.arange(5), 5, 10, 16.0)
    before = {name: value.clone() for name, value in margin.state_dict().items()}
    cosines = torch.rand(4, 5, generator=torch.Generator().manual_seed(0)) - 0.5
    margin(cosines, torch.arange(4), torch.tensor([1.0, 2.0, 3.0, 4.0]), 0)
    after = margin.state_dict()
    assert before and all(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("config", [
    {"kind": "elastic_arcface", "margin_rad": 0.3, "margin_std_rad": 0.0},
    {"kind": "elastic_cosface", "margin_cos": 0.3, "margin_std_cos": 0.0},
])
def test_elastic_without_spread_is_the_plain_margin(config):
    plain = {k: v for k, v in config.items() if "std" not in k} | {"kind": config["kind"].removeprefix("elastic_")}
    assert torch.allclose(with_margin(config), with_margin(plain))


def test_li_arcface_reaches_every_column():
    out = with_margin({"kind": "li_arcface", "margin_rad": 0.45})
    assert out[0, 0].item() == pytest.approx((math.pi - 2 * (math.acos(0.5) + 0.45)) / math.pi, abs=1e-6)
    assert out[0, 1].item() == pytest.approx((math.pi - 2 * math.acos(0.1)) / math.pi, abs=1e-6)
