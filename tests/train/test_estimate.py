import pytest
import torch

from data_prep.errors import ConfigError
from train.estimate import StageCost, _count, count_image, estimate_stage, format_table, main

N_CLASSES = 10
# The tiny tower at 16 px, by hand: outputs 8 x 8 x 8, 4 x 4 x 16, 2 x 2 x 16 of 3 x 3 kernels; 2 FLOPs a multiply-add.
FIRST, SECOND, THIRD = 2 * 64 * 8 * 27, 2 * 16 * 16 * 72, 2 * 4 * 16 * 144
HEAD, CENTRES = 2 * 16 * 8, 2 * 8 * N_CLASSES
TOWER = FIRST + SECOND + THIRD
RULES = [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}]
FROZEN = {"lr_rules": RULES, "feature_cache": True}


def test_flops_of_the_tiny_tower_by_hand(make_config):
    counted = count_image(make_config({}), 0, N_CLASSES)
    assert counted.tower_flops == TOWER
    # The backward pass costs the forward twice; the pixels need no gradient.
    assert counted.step_flops == 2 * FIRST + 3 * (SECOND + THIRD + HEAD + CENTRES)
    assert counted.head_step_flops == 2 * HEAD + 3 * CENTRES
    assert counted.n_parameters == counted.n_trained


def test_a_frozen_tower_costs_no_backward_and_keeps_less(make_config):
    frozen, whole = (count_image(make_config(stage), 0, N_CLASSES) for stage in (FROZEN, {}))
    assert frozen.step_flops == TOWER + 2 * HEAD + 3 * CENTRES
    assert frozen.n_trained == 16 * 8 + 8 + 8 * N_CLASSES
    # Conv and norm inputs of the tower, at the least the three feature maps in float32.
    assert whole.saved_bytes >= 4 * (3 * 256 + 8 * 64 + 16 * 16) and frozen.saved_bytes < whole.saved_bytes / 4


def test_domain_teachers_are_counted_and_their_rules_checked(make_config):
    taught = {"domain_teachers": {"dim": 4}}
    projection, centres = 2 * 16 * 4, 2 * 4 * N_CLASSES
    plain, with_teachers = (count_image(make_config(stage), 0, N_CLASSES) for stage in ({}, taught))
    assert with_teachers.step_flops - plain.step_flops == 3 * (projection + centres)
    assert with_teachers.head_step_flops - plain.head_step_flops == 2 * projection + 3 * centres
    assert with_teachers.n_trained - plain.n_trained == 16 * 4 + 4 + 4 * N_CLASSES
    more = estimate_stage(make_config(taught), 0, 800, N_CLASSES).memory_bytes
    assert more > estimate_stage(make_config({}), 0, 800, N_CLASSES).memory_bytes + 8 * 16 * N_CLASSES
    count_image(make_config(taught | {"lr_rules": [{"match": r"teachers\..*", "scale": 2.0}, *RULES]}), 0, N_CLASSES)
    with pytest.raises(ConfigError, match=r"teachers"):
        count_image(make_config({"lr_rules": [{"match": r"teachers\..*", "scale": 2.0}, *RULES]}), 0, N_CLASSES)


def test_wider_towers_and_heads_are_counted(make_config):
    head = {"kind": "parallel", "out_dim": 8, "dropouts": [0.1] * 5, "image_sizes": True}
    counted = count_image(make_config({}, head=head), 0, N_CLASSES)
    # Five layers that see three numbers more each.
    assert counted.head_step_flops == 2 * 5 * (2 * 19 * 8) + 3 * CENTRES
    vit = {"kind": "open_clip", "arch": "ViT-B-32", "weights": None}
    own, token = (count_image(make_config({"image_px": 32}, backbone=vit | {"output": output}), 0, N_CLASSES)
                  for output in ("own", "token"))
    # Without the projection from 768 to 512, but the head's 8 outputs see 768 numbers in place of 512.
    assert own.n_parameters - token.n_parameters == 768 * 512 - 8 * (768 - 512)


def test_stage_totals(make_config):
    epochs = {"epochs": 3}
    cached = estimate_stage(make_config(FROZEN | epochs), 0, 800, N_CLASSES)
    assert cached.n_images == 2400  # 300 steps of 8
    assert cached.flops == TOWER * 800 + (2 * HEAD + 3 * CENTRES) * 2400
    plain = estimate_stage(make_config(epochs), 0, 800, N_CLASSES)
    climbing = epochs | {"optimizer": {"kind": "sam", "lr": 0.1, "rho": 0.05}}
    sam = estimate_stage(make_config(climbing), 0, 800, N_CLASSES)
    assert sam.flops == 2 * plain.flops and sam.memory_bytes > plain.memory_bytes
    larger = estimate_stage(make_config(epochs | {"batch_size": 16}), 0, 800, N_CLASSES)
    counted = count_image(make_config({}), 0, N_CLASSES)
    assert larger.memory_bytes - plain.memory_bytes == pytest.approx(8 * (counted.saved_bytes + 16 * N_CLASSES))


def test_a_checkpointed_block_keeps_its_input_and_is_computed_twice(make_config):
    """Blocks of width 8 on 5 tokens (64 px, patch 32, and the class token), the last ones of them trained."""
    vit = {"kind": "open_clip", "arch": "ViT-B-32", "weights": None, "narrow_width": 8}

    def counted(first_trained, checkpointing):
        rules = [{"blocks": [first_trained, 12], "scale": 1.0}, *RULES]
        stage = {"image_px": 64, "lr_rules": rules, "gradient_checkpointing": checkpointing}
        return count_image(make_config(stage, backbone=vit), 0, N_CLASSES)

    last, last_three = counted(11, True), counted(9, True)
    assert last_three.saved_bytes - last.saved_bytes == 2 * 4 * 5 * 8  # frozen blocks keep nothing
    plain = counted(9, False)
    assert plain.saved_bytes - last_three.saved_bytes > 3 * 4 * 10 * 5 * 8  # qkv, attention, MLP
    # qkv, attention's two products, its output and the first layer of the MLP; the second's own output is not needed.
    again = 2 * (5 * 8 * 24 + 2 * 5 * 5 * 8 + 5 * 8 * 8 + 5 * 8 * 16)
    assert last_three.step_flops - plain.step_flops == 3 * again
    assert (last_three.tower_flops, last_three.head_step_flops) == (plain.tower_flops, plain.head_step_flops)
    with pytest.raises(ConfigError, match="gradient_checkpointing: tower 'conv16' has no blocks"):
        count_image(make_config({"gradient_checkpointing": True}), 0, N_CLASSES)


def test_fsdp_divides_weights_and_optimizer_state_over_all_devices(make_config):
    def memory(**changes):
        return estimate_stage(make_config({}, **changes), 0, 800, N_CLASSES).memory_bytes

    counted = count_image(make_config({}), 0, N_CLASSES)
    one_image = counted.saved_bytes + 16 * N_CLASSES  # a batch of 8 on 8 devices
    weights_and_state = 4 * 4 * counted.n_parameters  # weights, gradient, two moments
    assert memory(n_devices=4, n_nodes=2) == pytest.approx(weights_and_state + one_image)
    assert memory(n_devices=4, n_nodes=2, strategy="fsdp") == pytest.approx(weights_and_state / 8 + one_image)
    assert memory(strategy="fsdp") == memory()
    frozen = estimate_stage(make_config(FROZEN, n_devices=8, strategy="fsdp"), 0, 800, N_CLASSES)
    assert frozen.memory_bytes == 4 * counted.n_parameters  # whole before it is cut up


def test_hours_by_hand():
    cost = StageCost("one", 224, 100, flops=312e12 * 0.5 * 7200, memory_bytes=3e9, is_half=True)
    assert cost.gpu_hours("A100", 0.5) == pytest.approx(2.0)
    single = StageCost("two", 224, 50, flops=19.5e12 * 0.5 * 3600, memory_bytes=5e9, is_half=False)
    assert single.gpu_hours("A100", 0.5) == pytest.approx(1.0)
    total = format_table([cost, single], 0.5).splitlines()[-1].split()
    assert total[:2] == ["total", "150"] and "5.0" in total and "3.00" in total


def test_the_published_size_of_vith14(capsys):
    """334 GFLOP an image at 224 px: 257 tokens, width 1280, 32 blocks of 12 width^2 and the two attention products."""
    assert main(["vith14", "--images", "300000"]) == 0
    printed = capsys.readouterr().out
    blocks = 32 * (12 * 257 * 1280**2 + 2 * 257**2 * 1280)
    per_image = 2 * (blocks + 256 * 3 * 14**2 * 1280 + 1280 * 1024)
    row = next(line.split() for line in printed.splitlines() if line.startswith("everything"))
    assert row[1:3] == ["224", "600000"]
    # Backward twice the forward, but none for the pixels; head and centres are 0.001 of it.
    assert float(row[3]) == pytest.approx(3 * per_image * 600000 / 1e15, rel=0.01)


def test_bad_arguments(capsys):
    assert main(["no_such", "--images", "10"]) == 2 and "no_such" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["vith14", "--images", "0"])


def test_stages_on_a_source_of_known_size_are_counted_apart(capsys):
    sources = ("stages.0.sources=[gldv2]", "stages.1.sources=[gldv2, met]")
    assert main(["vith14", *sources, "--images", "100000", "--images-of", "gldv2=2560"]) == 0
    images = {row[0]: row[2] for line in capsys.readouterr().out.splitlines() if len(row := line.split()) > 5}
    # Six epochs of 2,560; the Met's number is not known, so that stage is taken to see the whole mixture.
    assert images["head"] == "15360" and images["everything"] == "200064"
    assert main(["vith14", "--images", "9", "--images-of", "gldv2"]) == 2
    assert "expected SOURCE=N" in capsys.readouterr().err


def test_nothing_to_train_is_an_error(capsys):
    assert main(["off_the_shelf_clip", "--images", "9"]) == 2
    assert "it has no stages" in capsys.readouterr().err


@pytest.mark.parametrize("kind, groups", [("Conv2d", 1), ("Conv2d", 2), ("Conv2d", 8), ("ConvTranspose2d", 4)])
def test_both_gradients_of_a_convolution_cost_its_forward_pass(kind, groups):
    layer = getattr(torch.nn, kind)(8, 8, 3, stride=2, padding=1, groups=groups, device="meta")
    images = torch.empty(5, 8, 9, 9, device="meta", requires_grad=True)
    n_forward, out = _count(lambda: layer(images))
    places = 9 * 9 if kind == "ConvTranspose2d" else 5 * 5
    assert n_forward == 2 * 5 * places * 3 * 3 * 8 * 8 // groups
    assert _count(lambda: out.sum().backward())[0] == 2 * n_forward
    n_weight, _ = _count(lambda: layer(images.detach()).sum().backward())
    assert n_weight == 2 * n_forward  # forward, and the gradient of the weight alone
