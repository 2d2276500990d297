import pytest
import torch

from data_prep.errors import ConfigError
from train.optim.sam import SAM
from train.stages.optimizer import build_optimizer


@pytest.fixture
def parts():
    return [("backbone.w", torch.nn.Parameter(torch.ones(2, 2))), ("head.w", torch.nn.Parameter(torch.ones(2, 2)))]


def test_groups_and_schedule_step_in_images(make_config, parts):
    stage = make_config({
        "lr_rules": [{"match": r"backbone\..*", "scale": 0.1}, {"match": ".*", "scale": 1.0}],
        "schedule": {"kind": "cosine", "warmup_images": 16}, "batch_size": 4, "accumulate_batches": 2,
    }).stages[0]
    made = build_optimizer(stage, parts, n_images=80, n_images_per_epoch=80)
    optimizer, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    rates = sorted(group["lr"] for group in optimizer.param_groups)
    # 8 images a step, warm-up over 16: the first step runs at half the rate.
    assert rates == pytest.approx([0.0005, 0.005])
    optimizer.step()
    scheduler.step()
    assert max(group["lr"] for group in optimizer.param_groups) == pytest.approx(0.01)


KINDS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(make_config, parts, kind):
    stage = make_config({"optimizer": {"kind": kind, "lr": 0.1}}).stages[0]
    assert type(build_optimizer(stage, parts, 8, 8)["optimizer"]) is KINDS[kind]


def test_a_parameter_no_rule_covers_is_an_error(make_config, parts):
    stage = make_config({"lr_rules": [{"match": r"head\..*", "scale": 1.0}]}).stages[0]
    with pytest.raises(ConfigError, match=r"backbone\.w"):
        build_optimizer(stage, parts, 8, 8)


def test_sam_wraps_adamw_and_needs_rho_and_whole_batches(make_config, parts):
    stage = make_config({"optimizer": {"kind": "sam", "lr": 0.1, "rho": 0.05}}).stages[0]
    optimizer = build_optimizer(stage, parts, 8, 8)["optimizer"]
    assert type(optimizer) is SAM and optimizer.rho == 0.05
    for change, message in (
        ({"optimizer": {"kind": "sam", "lr": 0.1}}, "rho belongs to kind sam"),
        ({"optimizer": {"kind": "sam", "lr": 0.1, "rho": 0.05}, "accumulate_batches": 2}, "accumulate_batches must be"),
        ({"optimizer": {"kind": "sam", "lr": 0.1, "rho": 0.05}, "precision": "16-mixed"}, "loss scaler"),
        ({"optimizer": {"kind": "adamw", "lr": 0.1, "rho": 0.05}}, "rho belongs to kind sam"),
    ):
        with pytest.raises(ConfigError, match=message):
            make_config(change)


def test_layer_decay_multiplies_the_rules(make_config):
    named = [(name, torch.nn.Parameter(torch.ones(2, 2))) for name in ("backbone.a", "backbone.b", "head.w")]
    stage = make_config({
        "optimizer": {"kind": "adamw", "lr": 0.1, "layer_decay": 0.5},
        "lr_rules": [{"match": r"backbone\..*", "scale": 0.1}, {"match": ".*", "scale": 1.0}],
    }).stages[0]
    groups = build_optimizer(stage, named, 8, 8, [["a"], ["b"]])["optimizer"].param_groups
    assert [group["initial_lr"] for group in groups] == pytest.approx([0.005, 0.01, 0.1])
    assert [group["params"][0] is p for group, (_, p) in zip(groups, named)] == [True] * 3


def rates_of(stage, parts, n_images, n_images_per_epoch, n_steps):
    """The rate of each of the first steps."""
    made = build_optimizer(stage, parts, n_images, n_images_per_epoch)
    rates = []
    for _ in range(n_steps):
        rates.append(made["optimizer"].param_groups[0]["lr"])
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    return rates


def test_epochs_of_the_schedule_are_counted_in_images(make_config, parts):
    sgd = {"kind": "sgd", "lr": 1.0, "momentum": 0.0}
    # 8 images a step, 16 an epoch: warm-up over one epoch from 0.1; then a tenth less each half epoch.
    stage = make_config({"optimizer": sgd, "schedule": {
        "kind": "exponential", "warmup_epochs": 1, "warmup_start": 0.1, "drop_every_epochs": 0.5, "drop_factor": 0.9,
    }}).stages[0]
    assert rates_of(stage, parts, 64, 16, 4) == pytest.approx([0.55, 1.0, 0.9, 0.81])
    # A warm-up longer than the stage is the whole stage.
    stage = make_config({"optimizer": sgd, "schedule": {"kind": "linear", "warmup_epochs": 9}}).stages[0]
    assert rates_of(stage, parts, 32, 16, 4) == pytest.approx([0.25, 0.5, 0.75, 1.0])


@pytest.mark.parametrize("kind", ["cosine", "linear"])
def test_the_only_step_of_a_stage_does_something(make_config, parts, kind):
    sgd = {"kind": "sgd", "lr": 1.0, "momentum": 0.0}
    stage = make_config({"optimizer": sgd, "schedule": {"kind": kind}}).stages[0]
    assert rates_of(stage, parts, 8, 8, 1) == pytest.approx([0.5])
    assert rates_of(stage, parts, 16, 16, 2) == pytest.approx([0.5, 0.0])  # of more steps the last is at the end
    for schedule, rate in (({"final_scale": 0.1}, 0.1), ({"warmup_images": 8}, 1.0)):  # these never were idle
        stage = make_config({"optimizer": sgd, "schedule": {"kind": kind, **schedule}}).stages[0]
        assert rates_of(stage, parts, 8, 8, 1) == pytest.approx([rate])


@pytest.mark.parametrize("schedule, part", [
    ({"kind": "exponential"}, "drop_every_epochs belongs to kind exponential"),
    ({"kind": "step"}, "drop_at_epochs belongs to kind step"),
    ({"kind": "cosine", "drop_at_epochs": [1]}, "drop_at_epochs belongs to kind step"),
    ({"kind": "constant", "final_scale": 0.5}, "final_scale is for cosine and linear"),
    ({"warmup_images": 5, "warmup_epochs": 1}, "not both"),
])
def test_schedule_keys_fit_their_kind(make_config, schedule, part):
    with pytest.raises(ConfigError, match=part):
        make_config({"schedule": schedule})


def test_sgd_without_momentum_takes_plain_steps(make_config, parts):
    stage = make_config({"optimizer": {"kind": "sgd", "lr": 0.5, "momentum": 0.0}}).stages[0]
    optimizer = build_optimizer(stage, parts, 800, 800)["optimizer"]
    rate, weight = optimizer.param_groups[0]["lr"], parts[0][1]
    for step in (1, 2):
        weight.grad = torch.ones(2, 2)
        optimizer.step()
        assert torch.allclose(weight.data, torch.full((2, 2), 1 - step * rate), atol=1e-6)


def test_a_tower_that_trains_does_not_go_with_cached_features(make_config, parts):
    rules = [{"match": r"backbone\.other", "frozen": True}, {"match": ".*", "scale": 1.0}]
    stage = make_config({"feature_cache": True, "lr_rules": rules}).stages[0]
    named = [("backbone.other", torch.nn.Parameter(torch.ones(2))), *parts]
    with pytest.raises(ConfigError, match=r"needs the whole tower frozen; backbone\.w is not"):
        build_optimizer(stage, named, 8, 8)


@pytest.mark.parametrize("kind", KINDS)
def test_fused_and_plain_steps_are_the_same(make_config, kind):
    """Also for a convolution in channels_last memory, whose values lie in another order than their indices say."""
    def after_steps(fused):
        torch.manual_seed(0)
        layer = torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        named = [(f"head.{name}", parameter) for name, parameter in layer.named_parameters()]
        precision = "bf16-mixed" if fused else "16-mixed"
        stage = make_config({"optimizer": {"kind": kind, "lr": 0.1, "weight_decay": 0.1}, "precision": precision})
        optimizer = build_optimizer(stage.stages[0], named, 800, 800)["optimizer"]
        assert bool(optimizer.defaults["fused"]) == fused
        for step in range(3):
            optimizer.zero_grad()
            layer(torch.full((2, 3, 5, 5), 0.1 * (step + 1))).square().sum().backward()
            optimizer.step()
        return layer.weight.detach()

    assert torch.allclose(after_steps(True), after_steps(False), atol=1e-6)


def test_weights_that_are_cut_up_are_stepped_plainly(make_config):
    """torch has no fused SGD for a DTensor, which says where its parts lie."""
    layer = torch.nn.Linear(3, 4)
    layer.weight.full_tensor = "of two processes"
    stage = make_config({"optimizer": {"kind": "sgd", "lr": 0.1}}).stages[0]
    named = [(f"head.{name}", parameter) for name, parameter in layer.named_parameters()]
    assert not build_optimizer(stage, named, 800, 800)["optimizer"].defaults["fused"]


def test_gradients_can_be_clipped_under_bfloat16(make_config, parts):
    """Lightning refuses to clip for an optimizer that says that it unscales gradients itself."""
    stage = make_config({"precision": "bf16-mixed", "clip_gradient_norm": 1.0}).stages[0]
    assert not build_optimizer(stage, parts, 8, 8)["optimizer"]._step_supports_amp_scaling
