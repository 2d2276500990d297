"""A few convolutions in plain torch: the tower of the tests, small enough to train in seconds."""

import torch
from torch import nn

from data_prep.errors import ConfigError, unknown_name
from train.model.backbones.backbone import Backbone, BackboneSpec

WIDTH_BY_ARCH = {"conv16": 16, "conv32": 32}


def build(spec: BackboneSpec) -> Backbone:
    """Images [B, 3, H, W], H and W from 8 up -> [B, 16 or 32]; random weights that are the same in every process."""
    if spec.arch not in WIDTH_BY_ARCH:
        raise unknown_name("tiny architecture", spec.arch, WIDTH_BY_ARCH, "backbone")
    if spec.weights is not None:
        raise unknown_name("weights of a tiny tower", spec.weights, ["null"], "backbone")
    if spec.output != "own":
        raise ConfigError(f"backbone {spec.arch!r}: output: token is for transformers with a class token")
    width = WIDTH_BY_ARCH[spec.arch]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tower = nn.Sequential(
            nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, kernel_size=3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, width, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(1),
        )
    names = [name for name, _ in tower.named_parameters()]
    groups = [[n for n in names if n.split(".")[0] in layers] for layers in (("0", "1"), ("3", "4"), ("6",))]
    return Backbone(spec, tower, width, ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), groups)
