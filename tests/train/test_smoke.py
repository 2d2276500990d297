import json

import pytest
import torch

from train.config import load_train_config
from train.smoke import NARROW_WIDTH, smoke_form
from train.stages.optimizer import build_optimizer

SOURCES = ("a", "b")


def test_a_transformer_recipe_keeps_its_plan_and_loses_its_size():
    config = load_train_config("vith14", ("stages.1.sources=[b, elsewhere]", "stages.2.patch_stride=12"))
    small = smoke_form(config, "patterns", SOURCES)
    assert (small.name, small.mixture, small.accelerator) == ("smoke_vith14", "patterns", "cpu")
    assert small.backbone.narrow_width == NARROW_WIDTH and small.backbone.weights is None
    # 2 patches of 14 px a side, then 3 that start every 12 px.
    assert [stage.image_px for stage in small.stages] == [28, 28, 38]
    assert [stage.sources for stage in small.stages] == [None, ("b",), None]
    assert [stage.images for stage in small.stages] == [16, 32, 32]  # two steps of 8, accumulated twice
    assert [stage.rounds for stage in small.stages] == [1, 2, 2]
    for stage, own in zip(small.stages, config.stages):
        assert (stage.margin, stage.lr_rules, stage.optimizer) == (own.margin, own.lr_rules, own.optimizer)
        assert stage.schedule.warmup_images <= stage.images // 2


def test_a_source_that_the_mixture_lacks_is_replaced_by_its_first():
    config = load_train_config("quickstart", ("stages.1.sources=[elsewhere]", "stages.2.sampler.kind=specialist_steps",
                                              "stages.2.sampler.steps_by_source={gldv2: 7}"))
    small = smoke_form(config, "patterns", SOURCES)
    assert small.stages[1].sources == ("a",)
    assert small.stages[2].sampler.steps_by_source == {"a": 1, "b": 1}


def test_a_tower_without_patches_stays():
    config = load_train_config("quickstart")
    small = smoke_form(config, "patterns", SOURCES)
    assert small.backbone == config.backbone
    assert [stage.image_px for stage in small.stages] == [32, 32, 48] and small.export_image_px == 48


@pytest.mark.parametrize("arch, px", [("vit_base_patch16_224", 32), ("ViT-L-14-336", 28), ("ViT-B-32", 64)])
def test_patch_size_is_read_from_the_name(arch, px):
    config = load_train_config("quickstart", (f"backbone={{kind: timm, arch: {arch}, weights: null}}",))
    assert smoke_form(config, "patterns", SOURCES).stages[0].image_px == px


@pytest.mark.parametrize("schedule", [
    {"kind": "step", "drop_at_epochs": [2, 4], "warmup_epochs": 1},
    {"kind": "exponential", "drop_every_epochs": 0.1, "warmup_images": 50000},
    {"kind": "linear", "warmup_epochs": 0.1, "warmup_start": 0.01},
])
def test_every_schedule_fits_into_the_few_images(schedule):
    config = load_train_config("quickstart", (f"stages.0.schedule={json.dumps(schedule)}",))
    stage = smoke_form(config, "patterns", SOURCES).stages[0]
    parts = [("backbone.w", torch.nn.Parameter(torch.ones(2))), ("head.w", torch.nn.Parameter(torch.ones(2)))]
    made = build_optimizer(stage, parts, stage.images, n_images_per_epoch=300)
    assert stage.schedule.kind == schedule["kind"] and stage.schedule.warmup_images == 8
    assert 0 < made["optimizer"].param_groups[0]["lr"] <= config.stages[0].optimizer.lr


def test_views_shrink_with_the_export_size():
    views = "views=[{}, {image_px: 240, flip: true}, {crop: 0.9}]"
    config = load_train_config("quickstart", ("export_image_px=160", views))
    small = smoke_form(config, "patterns", SOURCES)
    assert small.export_image_px == 48  # 240 is one and a half times 160
    assert [view.image_px for view in small.views] == [None, 72, None]
    assert [(view.flip, view.crop) for view in small.views] == [(False, 1.0), (True, 1.0), (False, 0.9)]
