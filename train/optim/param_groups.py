"""Ordered learning-rate rules -> optimizer groups; a parameter or a rule left over is an error."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from torch.nn import Parameter

from data_prep.errors import ConfigError

MAX_LISTED_NAMES = 10


class LearningRateRule(Protocol):
    """What is read of a rule: which names (a regular expression for whole names, or blocks), a scale or `frozen`."""

    @property
    def match(self) -> str | None: ...

    @property
    def blocks(self) -> tuple[int, int] | None: ...

    @property
    def scale(self) -> float | None: ...

    @property
    def frozen(self) -> bool: ...


def build_param_groups(
    named_parameters: Iterable[tuple[str, Parameter]],
    lr_rules: Sequence[LearningRateRule],
    base_lr: float,
    weight_decay: float,
    depth_scales: Mapping[str, float] | None = None,
) -> list[dict]:
    """Sets `requires_grad` of every parameter and groups those that train.

    For each name the first rule that matches wins. Parameters of one dimension or none (biases, norms, class
    tokens) get no weight decay.

    Args:
        named_parameters: as of `Module.named_parameters()`.
        lr_rules: in order; `match` must fit the whole name (`re.fullmatch`), `blocks` is a transformer tower's blocks
            from the first number up to, not including, the second.
        base_lr: learning rate of scale 1.
        weight_decay: of the parameters with two or more dimensions.
        depth_scales: name -> further factor on its rate, from `decay_by_depth`; names that are absent have 1.

    Returns:
        One dict a pair of (scale, decay or not), in the order in which the pairs first occur: `params`, `lr`,
        `weight_decay`, and `name` such as `x0.01` or `x0.01_no_decay` for the log.

    Raises:
        ConfigError: all faults at once: a rule that says neither or both of scale and frozen, a scale that is
            not positive, a broken expression, a rule under which no parameter falls (because no name fits, or
            because rules before it take them all), parameters under no rule, nothing left to train.
    """
    patterns = _compiled(lr_rules)
    rule_of = _first_matches(named := dict(named_parameters), patterns)
    _check_cover(list(named), patterns, rule_of, [_label(rule) for rule in lr_rules])
    if not any(rule.scale is not None for rule in lr_rules):
        raise ConfigError("lr_rules: every parameter is frozen, nothing is left to train")
    groups: dict[tuple[float, bool], dict] = {}
    for name, parameter in named.items():
        rule = lr_rules[rule_of[name]]
        parameter.requires_grad_(not rule.frozen)
        if rule.scale is None:
            continue
        has_decay = parameter.ndim > 1
        scale = rule.scale * (depth_scales or {}).get(name, 1.0)
        if (scale, has_decay) not in groups:
            groups[scale, has_decay] = {
                "params": [],
                "lr": base_lr * scale,
                "weight_decay": weight_decay if has_decay else 0.0,
                "name": f"x{scale:g}" + ("" if has_decay else "_no_decay"),
            }
        groups[scale, has_decay]["params"].append(parameter)
    return list(groups.values())


def decay_by_depth(layer_groups: Sequence[Sequence[str]], layer_decay: float, prefix: str = "") -> dict[str, float]:
    """Name -> layer_decay ** (groups between its own and the last): 1 for the last group, least for the first.

    Source: layer-wise decay as in BEiT, arXiv 2106.08254; there the last block starts at one decay below the head,
    here the rules say how head and tower relate.

    >>> decay_by_depth([["a"], ["b"], ["c", "d"]], 0.5, "backbone.")
    {'backbone.a': 0.25, 'backbone.b': 0.5, 'backbone.c': 1.0, 'backbone.d': 1.0}
    """
    last = len(layer_groups) - 1
    return {
        prefix + name: layer_decay ** (last - depth) for depth, group in enumerate(layer_groups) for name in group
    }


def _compiled(lr_rules: Sequence[LearningRateRule]) -> list[re.Pattern[str]]:
    """The rules' expressions, once each rule is known to be sound by itself."""
    faults: list[str] = []
    patterns: list[re.Pattern[str]] = []
    for position, rule in enumerate(lr_rules):
        where = f"lr_rules.{position} ({_label(rule)})"
        if rule.scale is not None and rule.scale <= 0.0:
            faults.append(
                f"{where}: scale must be positive, got {rule.scale}; to stop training, say frozen: true"
            )
        elif rule.frozen == (rule.scale is not None):
            faults.append(f"{where}: expected a scale or frozen: true, exactly one of them")
        try:
            patterns.append(re.compile(_expression(rule)))
        except re.error as error:
            faults.append(f"{where}: not a regular expression: {error}")
    if faults:
        raise ConfigError("\n".join(faults))
    return patterns


def _expression(rule: LearningRateRule) -> str:
    """The regular expression of a rule; blocks are open_clip's `transformer.resblocks.N` and timm's `blocks.N`."""
    if rule.blocks is None:
        return rule.match
    numbers = "|".join(str(number) for number in range(*rule.blocks))
    return rf"backbone\.tower\.(?:transformer\.resblocks|blocks)\.(?:{numbers})\..*"


def _label(rule: LearningRateRule) -> str:
    return repr(rule.match) if rule.blocks is None else f"blocks {list(rule.blocks)}"


def _first_matches(names: Iterable[str], patterns: Sequence[re.Pattern[str]]) -> dict[str, int]:
    """Name -> position of the first rule that fits it; names that no rule fits are absent."""
    matches = (
        (name, next((i for i, pattern in enumerate(patterns) if pattern.fullmatch(name)), None))
        for name in names
    )
    return {name: position for name, position in matches if position is not None}


def _check_cover(
    names: list[str], patterns: Sequence[re.Pattern[str]], rule_of: dict[str, int], labels: Sequence[str]
) -> None:
    """Raises ConfigError with every unused rule and every uncovered name."""
    faults: list[str] = []
    for position, pattern in enumerate(patterns):
        if position in rule_of.values():
            continue
        n_fitting = sum(pattern.fullmatch(name) is not None for name in names)
        reason = (
            f"the {n_fitting} it fits are taken by the rules before it"
            if n_fitting
            else "it fits no parameter"
        )
        faults.append(
            f"lr_rules.{position} ({labels[position]}): no parameter falls under this rule: {reason}"
        )
    uncovered = [name for name in names if name not in rule_of]
    if uncovered:
        faults.append(f"lr_rules: {len(uncovered)} parameters under no rule: {_listed(uncovered)}")
    if faults:
        raise ConfigError(
            "\n".join([*faults, f"lr_rules: parameters of this model: {_listed(_starts_of(names))}"])
        )


def _starts_of(names: list[str]) -> list[str]:
    """The first two parts of the names, once each, in order: enough to see how the model's names begin."""
    return list(
        dict.fromkeys(".".join(name.split(".")[:2]) + (".*" if name.count(".") > 1 else "") for name in names)
    )


def _listed(names: list[str]) -> str:
    """The names, or the first of them and how many more there are."""
    more = len(names) - MAX_LISTED_NAMES
    return ", ".join(names[:MAX_LISTED_NAMES]) + (f" and {more} more" if more > 0 else "")
