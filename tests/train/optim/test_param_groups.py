"""Learning-rate rules: first match wins, everything is covered, every rule is used."""

import re
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from data_prep.errors import ConfigError
from train.model.backbones import BackboneSpec, build_backbone
from train.optim.param_groups import build_param_groups


@dataclass(frozen=True)
class Rule:
    match: str | None
    scale: float | None = None
    frozen: bool = False
    blocks: tuple[int, int] | None = None


def _model() -> nn.ModuleDict:
    block = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    return nn.ModuleDict({"backbone": nn.Sequential(block, nn.Linear(4, 3)), "head": nn.Linear(3, 2)})


def _names(model: nn.Module, group: dict) -> list[str]:
    name_of = {id(parameter): name for name, parameter in model.named_parameters()}
    return [name_of[id(parameter)] for parameter in group["params"]]


def test_groups_by_scale_and_decay() -> None:
    model = _model()
    rules = [Rule(r"backbone\.1\..*", 0.1), Rule(r"backbone\..*", frozen=True), Rule(r"head\..*", 1.0)]
    groups = build_param_groups(model.named_parameters(), rules, base_lr=0.02, weight_decay=0.5)
    assert [group["name"] for group in groups] == ["x0.1", "x0.1_no_decay", "x1", "x1_no_decay"]
    assert [group["lr"] for group in groups] == pytest.approx([0.002, 0.002, 0.02, 0.02])
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0, 0.5, 0.0]
    assert [_names(model, group) for group in groups] == [
        ["backbone.1.weight"], ["backbone.1.bias"], ["head.weight"], ["head.bias"],
    ]  # fmt: skip
    trains = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    assert [name for name, flag in trains.items() if not flag] == [
        "backbone.0.0.weight", "backbone.0.0.bias", "backbone.0.1.weight", "backbone.0.1.bias",
    ]  # fmt: skip


def test_rules_of_one_scale_share_a_group_and_norms_have_no_decay() -> None:
    model = _model()
    rules = [Rule(r"head\..*", 1.0), Rule(r".*", 1.0)]
    groups = build_param_groups(model.named_parameters(), rules, base_lr=1.0, weight_decay=0.1)
    assert len(groups) == 2
    assert _names(model, groups[1]) == [
        "backbone.0.0.bias", "backbone.0.1.weight", "backbone.0.1.bias", "backbone.1.bias", "head.bias",
    ]  # fmt: skip


def test_what_was_frozen_before_trains_again() -> None:
    model = _model().requires_grad_(False)
    build_param_groups(model.named_parameters(), [Rule(".*", 1.0)], 0.1, 0.0)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_optimizers_take_the_groups() -> None:
    groups = build_param_groups(
        _model().named_parameters(), [Rule(".*", 0.5)], base_lr=0.1, weight_decay=0.01
    )
    optimizer = torch.optim.AdamW(groups)
    assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [
        (0.05, 0.01),
        (0.05, 0.0),
    ]


def test_the_whole_name_must_match() -> None:
    with pytest.raises(ConfigError, match=r"'head'.*it fits no parameter"):
        build_param_groups(_model().named_parameters(), [Rule("head", 1.0), Rule(".*", 0.1)], 0.1, 0.0)


def test_a_rule_behind_a_wider_one_is_an_error_that_says_why() -> None:
    rules = [Rule(".*", 0.1), Rule(r"head\..*", 1.0)]
    with pytest.raises(ConfigError, match=r"lr_rules\.1.*the 2 it fits are taken by the rules before it"):
        build_param_groups(_model().named_parameters(), rules, 0.1, 0.0)


def test_uncovered_parameters_and_unused_rules_are_listed_together() -> None:
    model = _model()
    with pytest.raises(ConfigError) as caught:
        build_param_groups(
            model.named_parameters(), [Rule(r"backbone\..*", 0.1), Rule("neck.*", 1.0)], 0.1, 0.0
        )
    message = str(caught.value)
    assert "lr_rules.1 ('neck.*')" in message
    assert "2 parameters under no rule: head.weight, head.bias" in message
    assert "backbone.0.*" in message
    assert all(parameter.requires_grad for parameter in model.parameters())  # nothing was touched


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule(".*", 0.0), "say frozen: true"),
        (Rule(".*", -1.0), "must be positive, got -1.0"),
        (Rule(".*"), "exactly one of them"),
        (Rule(".*", 1.0, frozen=True), "exactly one of them"),
        (Rule("(", 1.0), "not a regular expression"),
        (Rule(".*", frozen=True), "nothing is left to train"),
    ],
)
def test_unsound_rules(rule: Rule, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_param_groups(_model().named_parameters(), [rule], 0.1, 0.0)


def test_long_lists_are_cut() -> None:
    parameters = [(f"p{i}", nn.Parameter(torch.zeros(1))) for i in range(25)]
    with pytest.raises(ConfigError, match=r"24 parameters under no rule: p1, .*p10 and 14 more"):
        build_param_groups(parameters, [Rule("p0", 1.0)], 0.1, 0.0)


@pytest.mark.parametrize("kind, arch", [("open_clip", "ViT-H-14"), ("timm", "vit_huge_patch14_clip_224")])
def test_bands_of_blocks(kind: str, arch: str) -> None:
    """4th place: blocks below 10 / 20 / 26 / 32 of ViT-H, each band faster than the one below it; the stem frozen."""
    with torch.device("meta"):
        backbone = build_backbone(BackboneSpec(kind, arch, None, 224))
    named = [(f"backbone.{name}", p) for name, p in backbone.named_parameters()]
    bands = {(0, 10): 1.25, (10, 20): 2.5, (20, 26): 5.0, (26, 32): 10.0}
    rules = [*(Rule(None, scale, blocks=band) for band, scale in bands.items()), Rule(r"backbone\..*", frozen=True)]
    groups = build_param_groups(named, rules, base_lr=1e-6, weight_decay=1e-3)
    rate_of = {id(p): group["lr"] for group in groups for p in group["params"]}
    n_seen = 0
    for name, p in named:
        block = re.search(r"blocks\.(\d+)\.", name)
        if block is None:
            assert id(p) not in rate_of and not p.requires_grad
            continue
        n_seen += 1
        expected = next(scale for (first, end), scale in bands.items() if first <= int(block[1]) < end)
        assert rate_of[id(p)] == pytest.approx(expected * 1e-6), name
    assert n_seen == 32 * 12


def test_blocks_that_the_tower_does_not_have_are_an_error() -> None:
    named = [("backbone.tower.blocks.0.weight", nn.Parameter(torch.ones(2, 2)))]
    rules = [Rule(None, 1.0, blocks=(0, 1)), Rule(None, 2.0, blocks=(1, 9))]
    with pytest.raises(ConfigError, match=r"lr_rules\.1 \(blocks \[1, 9\]\): no parameter falls under this rule"):
        build_param_groups(named, rules, 1.0, 0.0)
