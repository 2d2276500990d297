import pytest
import torch

from data_prep.errors import ConfigError
from train.checkpoint import load_checkpoint
from train.run_log import read_metrics
from train.stages import runner
from train.stages.data import read_training_set
from train.stages.runner import Places, run_stages
from train.stages.teachers import build_teachers, save_teachers

WIDTH, DIM = 16, 6  # of the tiny tower, of the teachers
TAUGHT = {"domain_teachers": {"dim": DIM}, "sampler": {"kind": "round_robin"},
          "classifier": {"competition": "per_domain", "scale": 16.0}}
HEADS = {"name": "heads", **TAUGHT, "feature_cache": True,
         "lr_rules": [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}]}
EVERYTHING = {"name": "everything", **TAUGHT, "epochs": 2, "rounds": 3, "lr_rules": [
    {"match": r"backbone\..*", "scale": 0.1}, {"match": r"teachers\..*", "scale": 0.5}, {"match": ".*", "scale": 1.0}]}
TEACHERS = "stage-2-everything.teachers.pt"


def teachers_of(path):
    return torch.load(path, weights_only=True)


def assert_same_teachers(path, other):
    a, b = teachers_of(path), teachers_of(other)
    assert a["domains"] == b["domains"] and a["class_names"] == b["class_names"]
    assert torch.equal(a["layers"], b["layers"]) and torch.equal(a["centres"], b["centres"])


def assert_same_weights(path, other):
    a, b = (load_checkpoint(p).embedder.state_dict() for p in (path, other))
    assert all(torch.equal(a[name], b[name]) for name in a)


class KilledError(Exception):
    pass


def test_teachers_are_one_a_domain_and_new_without_a_stage_before(packed, make_config):
    data = read_training_set(packed, None)
    stage = make_config(HEADS).stages[0]
    teachers = build_teachers(stage, data, WIDTH, None, seed=3)
    assert teachers.projection.weight.shape == (2 * DIM, WIDTH)
    assert teachers.classifier.centres.shape == (len(data.class_names), 1, DIM)
    assert (teachers.scale, teachers.temperature) == (16.0, 0.1)
    names, domain_of_class = data.class_domains()
    assert names == ("disks", "tiles")
    assert [names[row] for row in domain_of_class] == [name.split("/")[0] for name in data.class_names]
    other = build_teachers(stage, data, WIDTH, None, seed=4)
    assert not torch.equal(teachers.projection.weight, other.projection.weight)


def test_teachers_are_carried_by_domain_and_class_name(packed, make_config, tmp_path):
    both, tiles = read_training_set(packed, None), read_training_set(packed, ("tiles",))
    stage = make_config(HEADS).stages[0]
    first = build_teachers(stage, both, WIDTH, None, seed=1)
    torch.nn.init.normal_(first.projection.bias)
    save_teachers(tmp_path / "first.pt", first, both, None)
    second = build_teachers(stage, tiles, WIDTH, tmp_path / "first.pt", seed=2)
    # `tiles` is the second domain of the first stage and the only one of the second.
    assert torch.equal(second.projection.weight, first.projection.weight[DIM:])
    assert torch.equal(second.projection.bias, first.projection.bias[DIM:])
    assert torch.equal(second.classifier.centres, first.classifier.centres[-len(tiles.class_names):])
    # A round on one domain does not forget the other's teacher.
    torch.nn.init.zeros_(second.projection.bias)
    save_teachers(tmp_path / "second.pt", second, tiles, tmp_path / "first.pt")
    third = build_teachers(stage, both, WIDTH, tmp_path / "second.pt", seed=3)
    assert torch.equal(third.projection.weight, first.projection.weight)
    assert torch.equal(third.projection.bias[:DIM], first.projection.bias[:DIM])
    assert not third.projection.bias[DIM:].any()
    assert torch.equal(third.classifier.centres, first.classifier.centres)


def test_new_domains_start_anew_and_other_sizes_are_an_error(packed, make_config, tmp_path):
    both, tiles = read_training_set(packed, None), read_training_set(packed, ("tiles",))
    stage = make_config(HEADS).stages[0]
    save_teachers(tmp_path / "tiles.pt", build_teachers(stage, tiles, WIDTH, None, seed=1), tiles, None)
    fresh = build_teachers(stage, both, WIDTH, None, seed=2)
    carried = build_teachers(stage, both, WIDTH, tmp_path / "tiles.pt", seed=2)
    assert torch.equal(carried.projection.weight[:DIM], fresh.projection.weight[:DIM])
    assert not torch.equal(carried.projection.weight[DIM:], fresh.projection.weight[DIM:])
    with pytest.raises(ConfigError, match=r"tiles\.pt: teachers before are \(6, 17\), this stage wants \(6, 18\)"):
        build_teachers(stage, both, WIDTH + 1, tmp_path / "tiles.pt", seed=2)
    with pytest.raises(ConfigError, match=r"none\.pt: no such file; it holds the domain teachers"):
        build_teachers(stage, both, WIDTH, tmp_path / "none.pt", seed=2)


@pytest.fixture
def whole(packed, tmp_path, make_config):
    """A run of HEADS and EVERYTHING that nothing interrupted."""
    config = make_config(HEADS, EVERYTHING, export_image_px=24)
    run_stages(config, Places(packed, tmp_path / "whole"), resume=False)
    return config, tmp_path / "whole"


def test_teachers_learn_in_every_stage_and_are_not_exported(packed, make_config, tmp_path, whole):
    _, run_dir = whole
    rows = [r for r in read_metrics(run_dir) if r["stage"] == "everything"]
    assert {"train/teacher_classification", "train/logit_distillation", "train/relation"} <= {r["name"] for r in rows}
    classification = [r["value"] for r in rows if r["name"] == "train/teacher_classification"]
    assert sum(classification[-4:]) < sum(classification[:4])
    first, second = teachers_of(run_dir / "stage-1-heads.teachers.pt"), teachers_of(run_dir / TEACHERS)
    assert not torch.equal(first["layers"], second["layers"])
    assert not torch.equal(first["centres"], second["centres"])
    for path in (*run_dir.glob("stage-*.ckpt"), run_dir / "final.ckpt"):
        content = torch.load(path, weights_only=True)
        assert {name.split(".")[0] for name in content["embedder"]} == {"backbone", "head"}
        assert content["centres"].shape[-1] == 8  # the student's


def test_a_stage_goes_on_with_the_teachers_of_the_last_that_had_some(packed, make_config, tmp_path):
    between = {"name": "between", "lr_rules": HEADS["lr_rules"], "feature_cache": True}
    still = {**HEADS, "name": "still", "optimizer": {"kind": "sgd", "lr": 1e-9, "momentum": 0.0}}
    run_stages(make_config(HEADS, between, still), Places(packed, tmp_path), resume=False)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["stage-1-heads.teachers.pt",
                                                                  "stage-3-still.teachers.pt"]
    first, last = (teachers_of(tmp_path / name) for name in ("stage-1-heads.teachers.pt", "stage-3-still.teachers.pt"))
    assert torch.allclose(first["layers"], last["layers"], atol=1e-6)
    assert torch.allclose(first["centres"], last["centres"], atol=1e-6)


def test_teachers_change_what_the_student_learns(packed, make_config, tmp_path):
    # Frozen teachers, so that the tower and they are the same at every step.
    taught = {"domain_teachers": {"dim": DIM}, "lr_rules": [
        {"match": r"backbone\..*|teachers\..*", "frozen": True}, {"match": ".*", "scale": 1.0}]}
    alone = {"lr_rules": [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}]}
    for name, stage in (("taught", taught), ("alone", alone)):
        run_stages(make_config(stage), Places(packed, tmp_path / name), resume=False)
    heads = [load_checkpoint(tmp_path / name / "final.ckpt").embedder.head for name in ("taught", "alone")]
    assert not torch.allclose(heads[0][-1].weight, heads[1][-1].weight, atol=1e-4)


@pytest.mark.parametrize("step", [2, 7])
def test_an_interrupted_run_ends_with_the_same_student_and_teachers(packed, tmp_path, cut_short, whole, step):
    config, whole_dir = whole
    cut_short(config, Places(packed, tmp_path / "cut"), step)
    run_stages(config, Places(packed, tmp_path / "cut"), resume=True)
    assert_same_weights(whole_dir / "final.ckpt", tmp_path / "cut" / "final.ckpt")
    assert_same_teachers(whole_dir / TEACHERS, tmp_path / "cut" / TEACHERS)


def test_a_run_that_samples_by_loss_survives_an_interruption(packed, tmp_path, make_config, monkeypatch):
    stage = {**EVERYTHING, "sampler": {"kind": "by_loss"}, "ema_decay": 0.8}
    config = make_config(stage)
    run_stages(config, Places(packed, tmp_path / "whole"), resume=False)
    # 12 batches in 3 rounds; the plan of the second round and of the third come from noted losses.
    noted = []
    real = runner.StageModule.training_step

    def training_step(self, batch, batch_index):
        if self.global_step == 7 and not noted:
            noted.append(self.source_losses())
            raise KilledError
        return real(self, batch, batch_index)

    monkeypatch.setattr(runner.StageModule, "training_step", training_step)
    with pytest.raises(KilledError):
        run_stages(config, Places(packed, tmp_path / "cut"), resume=False)
    assert noted[0].shape == (3, 2) and (noted[0][0] > 0).all() and (noted[0][2] != noted[0][2]).all()
    run_stages(config, Places(packed, tmp_path / "cut"), resume=True)
    assert_same_weights(tmp_path / "whole" / "final.ckpt", tmp_path / "cut" / "final.ckpt")
    assert_same_teachers(*(tmp_path / name / "stage-1-everything.teachers.pt" for name in ("whole", "cut")))


@pytest.mark.parametrize("change", [
    {"sampler": {"kind": "mixed"}, "ema_decay": 0.8},
    {"classifier": {"scale": 16.0, "n_sub_centres": 2}, "optimizer": {"kind": "sam", "lr": 0.01, "rho": 0.05},
     "distillation": {"weight": 1.0}},
], ids=["mixed_ema", "joint_sam_distillation"])
def test_mixed_batches_joint_classifiers_and_other_optimizers(packed, tmp_path, make_config, change):
    run_stages(make_config({**EVERYTHING, **change, "epochs": 1, "rounds": 1}), Places(packed, tmp_path), resume=False)
    values = [r["value"] for r in read_metrics(tmp_path) if r["name"] in ("train/relation", "train/logit_distillation")]
    assert values and all(0 < value < 10 for value in values)
    assert teachers_of(tmp_path / "stage-1-everything.teachers.pt")["domains"] == ["disks", "tiles"]


def test_rules_must_cover_the_teachers(packed, tmp_path, make_config):
    stage = {**HEADS, "lr_rules": [{"match": r"backbone\..*", "frozen": True},
                                   {"match": r"head\..*|classifier\..*", "scale": 1.0}]}
    with pytest.raises(ConfigError, match=r"3 parameters under no rule: teachers\.projection\.weight"):
        run_stages(make_config(stage), Places(packed, tmp_path), resume=False)
