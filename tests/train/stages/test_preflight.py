import shutil

import pytest
import torch

from data_prep.errors import ConfigError
from train.config import load_train_config
from train.data.readers import ShardReader
from train.stages import preflight
from train.stages.data import read_training_set
from train.stages.preflight import check_stages, check_validation_pictures
from train.stages.runner import Places, run_stages

BAD_RULE = [{"match": r"bakbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}]
HALF_A_TOWER = [{"match": r"backbone\.tower\.0\..*", "frozen": True}, {"match": ".*", "scale": 1.0}]
FROZEN_HEAD = [{"match": r"head\..*", "frozen": True}, {"match": ".*", "scale": 1.0}]


def check(packed, config):
    check_stages(config, range(len(config.stages)), lambda sources: read_training_set(packed, sources))


@pytest.mark.parametrize("change, part", [
    ({"sources": ["nope"]}, "no source 'nope'; known: disks, tiles"),
    ({"lr_rules": BAD_RULE}, "it fits no parameter"),
    ({"sampler": {"images_per_class": 3}}, "must divide the batch, got 3"),
    ({"schedule": {"kind": "step", "drop_at_epochs": [3]}}, "drops must rise and lie within the stage's"),
    ({"feature_cache": True, "lr_rules": HALF_A_TOWER}, "feature_cache needs the whole tower frozen"),
    ({"gradient_checkpointing": True}, "tower 'conv16' has no blocks"),
    ({"patch_stride": 12}, "backbone 'conv16': patch_stride 12 is for open_clip towers"),
    ({"domain_teachers": {"dim": 4}, "lr_rules": [{"match": r"(?!teachers).*", "scale": 1.0}]},
     r"3 parameters under no rule: teachers\.projection"),
])
def test_a_later_stage_s_mistake_is_found_before_the_first_trains(packed, make_config, tmp_path, change, part):
    config = make_config({}, {"name": "two", **change})
    with pytest.raises(ConfigError, match=rf"(?s)^stages\.1 \(two\): .*{part}"):
        run_stages(config, Places(packed, tmp_path), resume=False)
    assert not list(tmp_path.glob("*.ckpt")) and not (tmp_path / "metrics.jsonl").exists()
    run_stages(make_config({}), Places(packed, tmp_path), resume=False)  # the folder takes the corrected config


@pytest.mark.parametrize("arch, change, part", [
    ("vit_tiny_patch16_224", {"patch_stride": 12}, "patch_stride is for open_clip towers"),
    ("vgg11", {"gradient_checkpointing": True}, "tower 'vgg11': gradient checkpointing not supported"),
])
def test_what_timm_s_towers_cannot(packed, make_config, arch, change, part):
    tower = {"kind": "timm", "arch": arch, "weights": None}
    check(packed, make_config({"image_px": 32}, backbone=tower))
    with pytest.raises(ConfigError, match=rf"^stages\.0 \(one\): .*{part}"):
        check(packed, make_config({"image_px": 32, **change}, backbone=tower))


def test_a_batch_norm_in_a_head_that_trains_needs_two_images_in_every_process(packed, make_config, monkeypatch):
    head = {"kind": "bn_linear", "out_dim": 8}
    check(packed, make_config({"batch_size": 2}, head=head))
    check(packed, make_config({"batch_size": 1, "lr_rules": FROZEN_HEAD}, head=head))
    check(packed, make_config({"batch_size": 1}))
    with pytest.raises(ConfigError, match=r"batch_size 1: the head's batch norm.*expected at least 2"):
        check(packed, make_config({"batch_size": 1}, head=head))
    monkeypatch.setattr(preflight, "n_processes", lambda: 3)
    with pytest.raises(ConfigError, match=r"3 process\(es\) get 1 image\(s\) each; expected at least 6"):
        check(packed, make_config({"batch_size": 5}, head=head))


def test_a_stage_that_is_done_is_not_looked_at(packed, make_config):
    config = make_config({"sources": ["nope"]}, {"name": "two"})
    check_stages(config, [1], lambda sources: read_training_set(packed, sources))


def test_a_tower_that_cannot_be_built_without_memory_is_left_to_its_stage(packed, make_config, monkeypatch):
    def build(*arguments):
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")

    monkeypatch.setattr(preflight, "build_on_meta", build)
    check(packed, make_config({"lr_rules": BAD_RULE}))
    with pytest.raises(ConfigError, match="must divide the batch"):
        check(packed, make_config({"sampler": {"images_per_class": 3}}))


def test_the_largest_tower_takes_no_memory_and_draws_nothing(packed, monkeypatch):
    config = load_train_config("vith14", ("stages.0.sources=null", "stages.1.sources=null", "stages.2.sources=null"))
    devices, real = [], preflight.build_optimizer

    def build(stage, named, *numbers):
        devices.extend(parameter.device.type for _, parameter in named)
        return real(stage, named, *numbers)

    monkeypatch.setattr(preflight, "build_optimizer", build)
    state = torch.get_rng_state()
    check(packed, config)
    assert len(devices) > 1000 and set(devices) == {"meta"}
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("mode", ["error", "skip"])
def test_a_damaged_val_picture_is_found_before_anything_trains(packed, make_config, tmp_path, mode):
    check_validation_pictures(packed)
    copy = shutil.copytree(packed, tmp_path / "copy")
    reader = ShardReader(copy, "val")
    shard, offset, size = reader._locations[3]
    with open(copy / shard, "r+b") as stream:
        stream.seek(offset)
        stream.write(b"\0" * size)
    with pytest.raises(ConfigError, match=rf"{shard}, sample {reader.table.keys[3]}: damaged.*; 1 val sample\(s\) are"):
        run_stages(make_config({}, on_bad_shard=mode), Places(copy, tmp_path / "run"), resume=False)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
