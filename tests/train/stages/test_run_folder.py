import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from data_prep.errors import ConfigError
from train.checkpoint import load_checkpoint
from train.data.readers import ShardReader
from train.stages import run_folder, runner
from train.stages.run_folder import Places, check_shards, claim_run_dir, only_run_in, step_reached_in
from train.stages.runner import run_stages


def test_keys_of_the_execution_may_differ_when_a_run_goes_on(make_config, tmp_path):
    claim_run_dir(make_config({}), tmp_path, resume=False)
    (tmp_path / "stage-1-one.ckpt").touch()
    claim_run_dir(make_config({}, n_workers=2, n_devices=2, n_nodes=3, on_bad_shard="skip"), tmp_path, resume=True)
    with pytest.raises(ConfigError, match=r"configured otherwise \(strategy differ\)"):
        claim_run_dir(make_config({}, strategy="fsdp"), tmp_path, resume=True)


def test_a_discarded_attempt_leaves_nothing_of_itself(make_config, tmp_path):
    claim_run_dir(make_config({}), tmp_path, resume=False)
    for name in ("metrics.jsonl", "damaged.json", "tracking.json"):  # the last: its runs at W&B and MLflow
        (tmp_path / name).write_text("{}")
    claim_run_dir(make_config({}), tmp_path, resume=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["environment.json", "resolved.yaml"]


def test_a_file_is_no_run_folder(make_config, tmp_path):
    (tmp_path / "final.ckpt").touch()
    with pytest.raises(ConfigError, match=r"final\.ckpt: a file; the run's folder is wanted, such as"):
        claim_run_dir(make_config({}), tmp_path / "final.ckpt", resume=False)


def test_a_second_start_leaves_a_run_that_works_alone(packed, make_config, tmp_path, monkeypatch):
    config, places, said = make_config({}), Places(packed, tmp_path), []
    written_now = tmp_path / ".stage-1-one.unfinished.ckpt.abcdef123456.unfinished"
    real = runner.StageModule.training_step

    def training_step(self, batch, batch_index):
        if not said:
            written_now.touch()
            for resume in (False, True):
                with pytest.raises(ConfigError) as caught:
                    run_stages(config, places, resume)
                said.append(str(caught.value))
            assert written_now.exists()
        return real(self, batch, batch_index)

    monkeypatch.setattr(runner.StageModule, "training_step", training_step)
    run_stages(config, places, resume=False)
    assert len(said) == 2 and "\n" not in said[0]
    assert all(f"{tmp_path}: the folder is in use by another run: process {os.getpid()} on " in one for one in said)
    run_stages(config, places, resume=True)  # the lock went with the run
    assert not written_now.exists()


def test_the_folder_of_a_run_that_ended_badly_is_free_again(tmp_path):
    with pytest.raises(KeyError), only_run_in(tmp_path / "run"):
        raise KeyError
    with only_run_in(tmp_path / "run"):
        pass
    (tmp_path / "final.ckpt").touch()
    with pytest.raises(ConfigError, match="a file; the run's folder is wanted"), only_run_in(tmp_path / "final.ckpt"):
        pass


def test_only_a_run_that_gets_its_folder_removes_what_a_killed_one_left(make_config, tmp_path):
    config = make_config({"name": "a"}, {"name": "b"})
    claim_run_dir(config, tmp_path, resume=False)
    leftovers = {".stage-1-a.ckpt.abcdef123456.unfinished", "stage-1-a.unfinished.ckpt"}
    for name in (*leftovers, "stage-1-a.ckpt", "stage-2-b.unfinished.ckpt"):
        (tmp_path / name).touch()
    names = {path.name for path in tmp_path.iterdir()}
    for changes, resume in (({}, False), ({"seed": 1}, True)):
        with pytest.raises(ConfigError):
            claim_run_dir(make_config({"name": "a"}, {"name": "b"}, **changes), tmp_path, resume)
        assert {path.name for path in tmp_path.iterdir()} == names
    claim_run_dir(config, tmp_path, resume=True)
    assert {path.name for path in tmp_path.iterdir()} == names - leftovers  # the state of stage 2 is needed


def test_another_number_of_threads_is_said(make_config, tmp_path, monkeypatch, capsys):
    claim_run_dir(make_config({}), tmp_path, resume=False)
    (tmp_path / "stage-1-one.ckpt").touch()
    claim_run_dir(make_config({}), tmp_path, resume=True)
    assert capsys.readouterr().out == ""
    n_threads = torch.get_num_threads()
    monkeypatch.setattr("torch.get_num_threads", lambda: n_threads + 3)
    claim_run_dir(make_config({}), tmp_path, resume=True)
    said = capsys.readouterr().out
    assert f"goes on with n_threads {n_threads + 3}, it had {n_threads};" in said and "last bits" in said


def test_processes_need_images_to_share(packed, make_config, monkeypatch):
    assert check_shards(make_config({}), packed) == ShardReader(packed, "val").manifest.sha256
    monkeypatch.setattr(run_folder, "n_processes", lambda: 9)
    with pytest.raises(ConfigError, match=r"stages\.0\.batch_size: 8 images for 9 processes.*at least 9"):
        check_shards(make_config({}), packed)
    monkeypatch.setattr(run_folder, "n_processes", lambda: 1000)
    with pytest.raises(ConfigError, match="val samples for 1000 processes"):
        check_shards(make_config({}), packed)


def test_a_val_split_without_queries_is_an_error_before_anything_trains(packed, make_config, tmp_path, monkeypatch):
    real = ShardReader.__init__

    def only_index_images(self, *arguments, **options):
        real(self, *arguments, **options)
        if self.split == "val":
            self.table = replace(self.table, roles=np.full(len(self), "index"))

    monkeypatch.setattr(ShardReader, "__init__", only_index_images)
    with pytest.raises(ConfigError, match=r"split val: none of \d+ images has the role query"):
        run_stages(make_config({}), Places(packed, tmp_path), resume=False)
    assert not list(tmp_path.iterdir())


def test_the_last_good_state_is_the_stage_s_own_or_that_of_the_stage_before(make_config, tmp_path):
    config, places = make_config({"name": "a"}, {"name": "b"}), Places(tmp_path, tmp_path)
    assert places.last_good(config, 1) == "none yet"
    (tmp_path / "stage-1-a.ckpt").touch()
    assert places.last_good(config, 1).endswith("stage-1-a.ckpt")
    (tmp_path / "stage-2-b.unfinished.ckpt").touch()
    assert places.last_good(config, 1).endswith("stage-2-b.unfinished.ckpt")


def test_steps_of_a_state(tmp_path):
    assert step_reached_in(tmp_path / "none.ckpt") == 0
    torch.save({"global_step": 7}, tmp_path / "some.ckpt")
    assert step_reached_in(tmp_path / "some.ckpt") == 7


@pytest.fixture
def damaged(packed, tmp_path):
    """The packed mixture with one train picture overwritten; and its key."""
    copy = shutil.copytree(packed, tmp_path / "copy")
    reader = ShardReader(copy, "train")
    shard, offset, _ = reader._locations[5]
    with open(copy / shard, "r+b") as stream:
        stream.seek(offset)
        stream.write(b"\0" * 64)
    return copy, str(reader.table.keys[5])


def test_a_damaged_picture_stops_the_run_by_name_or_is_left_out_counted(damaged, make_config, tmp_path, capsys):
    shards_dir, key = damaged
    config = make_config({"epochs": 2})
    with pytest.raises(ConfigError, match=f"sample {key}: damaged since it was packed.*on_bad_shard=skip"):
        run_stages(config, Places(shards_dir, tmp_path / "strict"), resume=False)
    places = Places(shards_dir, tmp_path / "skip")
    run_stages(make_config({"epochs": 2}, on_bad_shard="skip"), places, resume=False)
    assert "1 damaged train sample(s) left out" in capsys.readouterr().out
    assert [row["key"] for row in json.loads((tmp_path / "skip" / "damaged.json").read_text())] == [key]


def test_a_run_that_leaves_damage_out_goes_on_to_the_same_weights(damaged, make_config, tmp_path, monkeypatch):
    shards_dir, _ = damaged
    config = make_config({"epochs": 2, "rounds": 4}, on_bad_shard="skip")
    run_stages(config, Places(shards_dir, tmp_path / "whole"), resume=False)
    real = runner.StageModule.training_step

    def training_step(self, batch, batch_index):
        if self.global_step == 6:
            raise KeyError("killed")
        return real(self, batch, batch_index)

    monkeypatch.setattr(runner.StageModule, "training_step", training_step)
    with pytest.raises(KeyError, match="killed"):
        run_stages(config, Places(shards_dir, tmp_path / "cut"), resume=False)
    monkeypatch.undo()
    run_stages(config, Places(shards_dir, tmp_path / "cut"), resume=True)
    one, other = (load_checkpoint(tmp_path / name / "final.ckpt").embedder.state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)
