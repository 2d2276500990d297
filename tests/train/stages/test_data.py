from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from data_prep.errors import ConfigError
from train.data.preprocessing import PreprocessSpec
from train.data.readers import ShardReader
from train.stages.data import StageData, StagePlan, items_of, plan_stage, read_training_set

ON_CPU = SimpleNamespace(root_device=torch.device("cpu"))


def test_class_rows_are_positions_in_the_sorted_names(packed):
    data = read_training_set(packed, None)
    assert list(data.class_names) == sorted(set(data.reader.table.class_names))
    assert all(data.class_names[row] == name for row, name in zip(data.class_rows, data.reader.table.class_names))
    assert data.n_images_per_epoch == len(data.reader)


@pytest.mark.parametrize("stage, n_rows", [
    ({"epochs": 2}, "two epochs"), ({"epochs": None, "images": 40}, "five steps"),
])
def test_length_follows_epochs_or_images(packed, make_config, stage, n_rows):
    data = read_training_set(packed, None)
    plan = plan_stage(data, make_config(stage).stages[0], seed=1)
    expected = round(2 * len(data.reader) / 8) if "epochs" in n_rows else 5
    assert plan.batches.shape == (expected, 8)


def test_plan_is_a_pure_function_of_the_seed(packed, make_config):
    data = read_training_set(packed, None)
    stage = make_config({"epochs": 3}).stages[0]
    assert np.array_equal(plan_stage(data, stage, 1).batches, plan_stage(data, stage, 1).batches)
    assert not np.array_equal(plan_stage(data, stage, 1).batches, plan_stage(data, stage, 2).batches)


def test_rounds_cut_the_plan_without_gap_or_overlap(packed, make_config):
    data = read_training_set(packed, None)
    stage = make_config({"epochs": 5, "rounds": 4, "accumulate_batches": 2, "batch_size": 4}).stages[0]
    plan = plan_stage(data, stage, seed=1)
    rows = [plan.round_rows(number) for number in range(len(plan.round_starts))]
    assert len(rows) == 4 and rows[0][0] == 0 and rows[-1][1] == len(plan.batches)
    assert all(end == start for (_, end), (start, _) in pairwise(rows))
    assert all(start % 2 == 0 for start, _ in rows)  # never between the batches of one optimizer step
    assert StagePlan(np.zeros((4, 1)), (0,)).round_rows(0) == (0, 4)


def test_specialist_steps_share_the_batches_out(packed, make_config):
    data = read_training_set(packed, None)

    def plan(**steps):
        sampler = {"kind": "specialist_steps", "steps_by_source": steps}
        return plan_stage(data, make_config({"epochs": None, "images": 64, "sampler": sampler}).stages[0], seed=1)

    sources = [set(data.reader.table.sources[batch]) for batch in plan(disks=3, tiles=1).batches]
    assert sources.count({"disks"}) == 6 and sources.count({"tiles"}) == 2
    with pytest.raises(ConfigError, match="steps_by_source must give"):
        plan(disks=3)
    for sampler in ({"kind": "specialist_steps"}, {"kind": "mixed", "steps_by_source": {"disks": 1}}):
        with pytest.raises(ConfigError, match="steps_by_source belongs to kind specialist_steps"):
            make_config({"sampler": sampler})


def test_rounds_by_loss_follow_the_noted_losses(packed, make_config):
    data = read_training_set(packed, None)
    assert [list(data.pool_by_source)[row] for row in data.source_rows] == data.reader.table.sources.tolist()
    stage = make_config({"epochs": None, "images": 128, "rounds": 2, "sampler": {"kind": "by_loss"}}).stages[0]
    features = (np.zeros((len(data.reader), 4), np.float32),) * 2
    loaders = StageData(data, plan_stage(data, stage, seed=1), stage, (None, None), (1, 0), features)

    def sources_of_round(number, losses):
        module = SimpleNamespace(source_losses=lambda: np.array(losses, np.float32))
        loaders.trainer = SimpleNamespace(current_epoch=number, global_rank=0, world_size=1, lightning_module=module)
        plan = loaders.train_dataloader().dataset.plan
        assert plan.shape == (8, 8)
        return [set(data.reader.table.sources[batch]) for batch in plan]

    assert sources_of_round(0, [[np.nan, np.nan]] * 2).count({"disks"}) == 4
    second = sources_of_round(1, [[1.0, 3.0], [np.nan, np.nan]])
    assert second.count({"disks"}) == 2 and second.count({"tiles"}) == 6
    with pytest.raises(ConfigError, match="give rounds above 1"):
        make_config({"sampler": {"kind": "by_loss"}})


def test_class_domains_are_those_of_the_samples(packed):
    data = read_training_set(packed, None)
    names, rows = data.class_domains()
    assert names == ("disks", "tiles") and len(rows) == len(data.class_names)
    table = data.reader.table
    assert [names[rows[c]] for c in data.class_rows] == table.domains.tolist()


def test_items_keep_domain_class_and_role(packed):
    table = ShardReader(packed, "val").table
    items = items_of(table)
    assert set(items.domains) == {"disks", "tiles"} and set(items.roles) == {"both"}
    assert items.class_keys[0] == (table.class_names[0],)


def test_every_process_embeds_its_own_stretch_of_the_validation_images_once(packed, make_config):
    data, validation = read_training_set(packed, None), ShardReader(packed, "val")
    stage, spec = make_config({}).stages[0], PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)
    plan = plan_stage(data, stage, seed=1)
    features = tuple(np.arange(2.0 * len(one)).reshape(-1, 2) for one in (data.reader, validation))
    for cached in (None, features):
        seen = []
        for number in range(3):
            loaders = StageData(data, plan, stage, (validation, spec), (1, 0), cached)
            loaders.trainer = SimpleNamespace(global_rank=number, world_size=3, strategy=ON_CPU)
            batches = list(loaders.val_dataloader())
            if cached is None:
                reader = batches and loaders.val_dataloader().dataset.reader
                seen += reader.table.keys.tolist()
                assert sum(len(batch["pixels"]) for batch in batches) == len(reader)
            else:
                seen += [key for batch in batches for key in validation.table.keys[batch["indices"]].tolist()]
        assert seen == validation.table.keys.tolist()


def test_a_round_goes_on_behind_the_batches_that_are_done(packed, make_config):
    data = read_training_set(packed, None)
    stage = make_config({"epochs": None, "images": 128, "rounds": 2}).stages[0]
    loaders = StageData(data, plan_stage(data, stage, seed=1), stage, (None, None), (1, 0), (np.zeros((99, 4)),) * 2)

    def indices_of_round(number):
        loaders.trainer = SimpleNamespace(current_epoch=number, global_rank=0, world_size=1)
        loader = loaders.train_dataloader()
        assert len(loader) == 8  # Lightning counts the whole round
        return [batch["indices"].tolist() for batch in loader]

    whole = [indices_of_round(number) for number in (0, 1)]
    assert whole[0] + whole[1] == loaders.plan.batches.tolist()
    loaders.batches_done = 3
    state = loaders.state_dict()
    assert state == {"round": 1, "batches_done": 3}
    loaders.load_state_dict(state)
    assert indices_of_round(1) == whole[1][3:] and indices_of_round(0) == whole[0]
    assert loaders.state_dict()["batches_done"] == 0


@pytest.mark.parametrize("n_workers", [0, 1, 2, 3])
def test_every_rank_and_worker_sees_its_share_once(packed, make_config, n_workers):
    """Two epochs in two rounds: the batches of 1, 2 and 3 ranks are those of the plan, image by image."""
    data = read_training_set(packed, None)
    augmentation = {"preset": "crop", "min_crop_scale": 0.5}
    stage = make_config({"epochs": 2, "rounds": 2, "batch_size": 6, "augmentation": augmentation}).stages[0]
    plan = plan_stage(data, stage, seed=1)
    epoch = plan.batches.ravel()[: len(data.reader)]
    assert sorted(epoch) == list(range(len(data.reader)))  # the first pass shows every image once
    first, end = plan.round_rows(1)
    pixels_of_one = None
    for n_ranks in (1, 2, 3):
        loaders = StageData(data, plan, stage, (None, None), (1, n_workers), None)
        seen = {}
        for rank in range(n_ranks):
            loaders.trainer = SimpleNamespace(
                current_epoch=1, global_rank=rank, world_size=n_ranks, strategy=ON_CPU)
            seen[rank] = list(loaders.train_dataloader())
        whole = np.zeros((end - first, 6), np.int64)
        pixels = torch.zeros((end - first, 6, 16, 16, 3), dtype=torch.uint8)
        for rank, batches in seen.items():
            assert len(batches) == end - first
            for step, batch in enumerate(batches):
                whole[step, rank::n_ranks] = batch["indices"]
                pixels[step, rank::n_ranks] = batch["pixels"]
        assert np.array_equal(whole, plan.batches[first:end])
        pixels_of_one = pixels if pixels_of_one is None else pixels_of_one
        assert torch.equal(pixels, pixels_of_one)


def test_views_are_drawn_for_the_whole_batch_and_then_shared_out(packed, make_config):
    data = read_training_set(packed, None)
    stage = make_config({"epochs": 1, "batch_size": 6}).stages[0]
    plan = plan_stage(data, stage, seed=1)
    number_of = np.arange(3)[:, None] * 1000 + np.arange(len(data.reader))  # [views, samples]
    features = (number_of[:, :, None].astype(np.float32), None)

    def drawn(rank, n_ranks):
        loaders = StageData(data, plan, stage, (None, None), (1, 0), features)
        loaders.trainer = SimpleNamespace(current_epoch=0, global_rank=rank, world_size=n_ranks)
        return np.stack([batch["features"][:, 0].numpy() for batch in loaders.train_dataloader()])

    alone = drawn(0, 1)
    assert np.array_equal(alone % 1000, plan.batches) and set(alone.ravel() // 1000) == {0, 1, 2}
    assert np.array_equal(drawn(1, 2), alone[:, 1::2])
