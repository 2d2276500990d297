import weakref
from itertools import pairwise

import pytest
import torch

from data_prep.config_files import read_config
from data_prep.errors import ConfigError
from train.checkpoint import load_checkpoint
from train.config import TrainConfig
from train.data.feature_cache import compute_features
from train.data.preprocessing import preprocess
from train.data.readers import ShardReader
from train.lightning_module import validation_values
from train.run_log import read_metrics
from train.stages import runner
from train.stages.data import items_of
from train.stages.runner import Places, run_stages

HEAD_ONLY = {"name": "head", "lr_rules": [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}],
             "feature_cache": True, "epochs": 4, "classifier": {"start": "class_means", "scale": 16.0}}
EVERYTHING = {"name": "everything", "epochs": 3, "rounds": 3, "classifier": {"start": "keep", "scale": 16.0},
              "head_dropout": 0.2, "batch_norm": "train",
              "lr_rules": [{"match": r"backbone\..*", "scale": 0.1}, {"match": ".*", "scale": 1.0}]}
LARGER = {"name": "larger", "image_px": 24, "classifier": {"start": "keep", "scale": 16.0}}


def weights_of(path):
    return load_checkpoint(path).embedder.state_dict()


def assert_same_weights(path, other):
    a, b = weights_of(path), weights_of(other)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a), [n for n in a if not torch.equal(a[n], b[n])]


class KilledError(Exception):
    pass


def run_whole_and_cut(config, packed, tmp_path, cut_short, step):
    """Run the stages into `whole`, and into `cut` with a dead stop at this step."""
    run_stages(config, Places(packed, tmp_path / "whole"), resume=False)
    cut_short(config, Places(packed, tmp_path / "cut"), step)
    run_stages(config, Places(packed, tmp_path / "cut"), resume=True)


def test_stages_run_in_order_and_each_leaves_what_the_design_names(packed, tmp_path, make_config):
    config = make_config(HEAD_ONLY, EVERYTHING, LARGER)
    places = Places(packed, tmp_path / "run")
    final = run_stages(config, places, resume=False)
    names = {path.name for path in places.run_dir.iterdir()}
    assert names >= {"resolved.yaml", "environment.json", "metrics.jsonl", "curves.png", "final.ckpt",
                     "stage-1-head.ckpt", "stage-2-everything.ckpt", "stage-3-larger.ckpt"}
    assert not [name for name in names if "unfinished" in name]
    assert read_config(TrainConfig, places.run_dir / "resolved.yaml") == config
    # Stage 1 leaves the tower alone, stage 2 moves it.
    first = weights_of(places.run_dir / "stage-1-head.ckpt")
    second = weights_of(places.run_dir / "stage-2-everything.ckpt")
    start = runner.start_embedder(config, config.stages[0], None, tmp_path)[0].state_dict()
    tower = [name for name in first if name.startswith("backbone.") and name.endswith("weight")]
    assert tower and all(torch.equal(first[name], start[name]) for name in tower)
    assert not any(torch.equal(first[name], second[name]) for name in tower)
    loaded = load_checkpoint(final)
    assert loaded.preprocess.image_px == 24 and loaded.meta["stage"] == "larger"
    rows = read_metrics(places.run_dir)
    assert [r["stage"] for r in rows if r["name"] == "val/mMP@5"] == ["head"] + ["everything"] * 3 + ["larger"]
    assert {r["name"] for r in rows} >= {"train/loss", "val/R@1", "val/mMP@5/disks", "val/mMP@5/tiles"}


def test_training_raises_the_score_on_held_out_classes(packed, tmp_path, make_config):
    # The whole tower at the full rate on images as they are: with the tower held back and images of 16 px augmented it
    # is luck of the seed, whichever way they are resized.
    config = make_config({**EVERYTHING, "epochs": 12, "rounds": 12, "classifier": {"scale": 16.0},
                          "lr_rules": [{"match": ".*", "scale": 1.0}], "augmentation": {"preset": "none"}})
    run_stages(config, Places(packed, tmp_path), resume=False)
    scores = [r["value"] for r in read_metrics(tmp_path) if r["name"] == "val/mMP@5"]
    assert len(scores) == 12 and max(scores[-3:]) > scores[0] + 0.05, scores


@pytest.mark.parametrize("step", [2, 7, 11])
def test_an_interrupted_run_ends_with_the_same_weights(packed, tmp_path, make_config, cut_short, step):
    config = make_config(HEAD_ONLY, EVERYTHING)
    run_whole_and_cut(config, packed, tmp_path, cut_short, step)
    for name in ("stage-1-head.ckpt", "stage-2-everything.ckpt", "final.ckpt"):
        assert_same_weights(tmp_path / "whole" / name, tmp_path / "cut" / name)
    whole, cut = (read_metrics(tmp_path / name) for name in ("whole", "cut"))
    assert whole == cut


def test_ema_survives_an_interruption_too(packed, tmp_path, make_config, cut_short):
    config = make_config({**EVERYTHING, "classifier": {"scale": 16.0}, "ema_decay": 0.8})
    run_whole_and_cut(config, packed, tmp_path, cut_short, 8)
    plain = make_config({**EVERYTHING, "classifier": {"scale": 16.0}})
    run_stages(plain, Places(packed, tmp_path / "plain"), resume=False)
    name = "stage-1-everything.ckpt"
    averaged, last = weights_of(tmp_path / "whole" / name), weights_of(tmp_path / "plain" / name)
    assert any(not torch.equal(averaged[n], last[n]) for n in averaged)
    assert_same_weights(tmp_path / "whole" / name, tmp_path / "cut" / name)


@pytest.mark.parametrize("margin", [
    {"kind": "curricularface", "margin_rad": 0.3}, {"kind": "adaface", "margin_rad": 0.3}, {"kind": "adacos"},
    {"kind": "elastic_arcface", "margin_rad": 0.3, "margin_std_rad": 0.05},
], ids=lambda margin: margin["kind"])
@pytest.mark.parametrize("ema_decay", [None, 0.8])
def test_what_an_adaptive_margin_keeps_survives_an_interruption(
    packed, tmp_path, make_config, cut_short, margin, ema_decay
):
    config = make_config({**EVERYTHING, "classifier": {"scale": 16.0}, "margin": margin, "ema_decay": ema_decay})
    run_whole_and_cut(config, packed, tmp_path, cut_short, 8)
    assert_same_weights(tmp_path / "whole" / "final.ckpt", tmp_path / "cut" / "final.ckpt")


def test_sam_and_layer_decay_survive_an_interruption_and_differ_from_plain_adamw(
    packed, tmp_path, make_config, cut_short
):
    def make(**optimizer):
        return make_config({**EVERYTHING, "classifier": {"scale": 16.0}, "optimizer": {"lr": 0.01, **optimizer}})

    config = make(kind="sam", rho=0.05, layer_decay=0.7)
    run_whole_and_cut(config, packed, tmp_path, cut_short, 8)
    run_stages(make(layer_decay=0.7), Places(packed, tmp_path / "plain"), resume=False)
    whole, plain = weights_of(tmp_path / "whole" / "final.ckpt"), weights_of(tmp_path / "plain" / "final.ckpt")
    assert not torch.equal(whole["head.1.weight"], plain["head.1.weight"])
    steps = [{r["step"] for r in read_metrics(tmp_path / name)} for name in ("whole", "plain")]
    assert steps[0] == steps[1]  # two gradients, one step
    assert_same_weights(tmp_path / "whole" / "final.ckpt", tmp_path / "cut" / "final.ckpt")


def test_a_finished_run_is_left_as_it_is(packed, tmp_path, make_config):
    config = make_config({})
    final = run_stages(config, Places(packed, tmp_path), resume=False)
    before = final.read_bytes()
    assert run_stages(config, Places(packed, tmp_path), resume=True).read_bytes() == before


def test_another_run_in_the_folder_is_an_error(packed, tmp_path, make_config):
    run_stages(make_config({}), Places(packed, tmp_path), resume=False)
    with pytest.raises(ConfigError, match="holds a run already; --resume"):
        run_stages(make_config({}), Places(packed, tmp_path), resume=False)
    with pytest.raises(ConfigError, match=r"configured otherwise \(seed, stages differ\)"):
        run_stages(make_config({"epochs": 2}, seed=5), Places(packed, tmp_path), resume=True)


@pytest.mark.parametrize("choose, stage", [("best_validation", "first"), ("last", "second")])
def test_final_is_the_last_stage_or_the_best_on_validation(packed, tmp_path, make_config, monkeypatch, choose, stage):
    real = runner._stage_meta

    def first_is_better(config, index, data, scores):
        return real(config, index, data, scores | {"val/mMP@5": (0.9, 0.8)[index]})

    monkeypatch.setattr(runner, "_stage_meta", first_is_better)
    config = make_config({"name": "first"}, {"name": "second"}, choose=choose)
    final = run_stages(config, Places(packed, tmp_path), resume=False)
    assert load_checkpoint(final).meta["stage"] == stage


def test_export_size_is_validated_anew(packed, tmp_path, make_config):
    final = run_stages(make_config({}, export_image_px=20), Places(packed, tmp_path), resume=False)
    loaded = load_checkpoint(final)
    assert loaded.preprocess.image_px == 20 and "mMP@5/disks" in loaded.meta["val"]


def test_a_share_of_the_start_stays_in_the_result(packed, tmp_path, make_config):
    run_stages(make_config({}), Places(packed, tmp_path / "all"), resume=False)
    run_stages(make_config({"start_weight": 0.25}), Places(packed, tmp_path / "mixed"), resume=False)
    start = runner.start_embedder(make_config({}), make_config({}).stages[0], None, tmp_path)[0].backbone.state_dict()
    trained = weights_of(tmp_path / "all" / "stage-1-one.ckpt")["backbone.tower.0.weight"]
    mixed = weights_of(tmp_path / "mixed" / "stage-1-one.ckpt")["backbone.tower.0.weight"]
    assert torch.allclose(mixed, 0.25 * start["tower.0.weight"] + 0.75 * trained, atol=1e-6)


def test_what_is_mixed_with_the_start_is_validated_on_the_accelerator(packed, tmp_path, make_config, monkeypatch):
    seen = []
    real_move, real_pass = runner.to_device, runner.compute_features
    monkeypatch.setattr(runner, "to_device", lambda module, kind: seen.append(kind) or real_move(module, kind))
    monkeypatch.setattr(runner, "compute_features",
                        lambda *a, **k: seen.append((k["title"], k["precision"])) or real_pass(*a, **k))
    run_stages(make_config({"start_weight": 0.25, "precision": "bf16-mixed"}), Places(packed, tmp_path), resume=False)
    assert seen == ["cpu", "cpu", ("validation", "bf16-mixed")]  # the stage's start, then its end


def test_a_stage_that_is_done_leaves_nothing_behind_in_memory(packed, tmp_path, make_config, monkeypatch):
    modules, alive = [], []
    real = runner.assemble_stage

    def assemble(*arguments):
        alive.append(sum(module() is not None for module in modules))
        module, data = real(*arguments)
        modules.append(weakref.ref(module))
        return module, data

    monkeypatch.setattr(runner, "assemble_stage", assemble)
    config = make_config({"ema_decay": 0.5}, {"name": "two", "ema_decay": 0.5}, {"name": "three"})
    run_stages(config, Places(packed, tmp_path), resume=False)
    assert alive == [0, 0, 0]


def test_distillation_is_logged_and_pulls_towards_the_start(packed, tmp_path, make_config):
    distil = {"distillation": {"weight": 20.0, "kind": "mse", "temperature": 0.1}, "epochs": 6}
    run_stages(make_config(distil), Places(packed, tmp_path / "with"), resume=False)
    rows = [r for r in read_metrics(tmp_path / "with") if r["name"] == "train/distillation"]
    assert rows[-1]["value"] < rows[0]["value"] * 0.8


def test_separate_classifiers_and_accumulation_run(packed, tmp_path, make_config):
    stage = {"classifier": {"competition": "per_domain", "scale": 16.0}, "sampler": {"kind": "round_robin"},
             "batch_size": 4, "accumulate_batches": 2, "clip_gradient_norm": 1.0}
    final = run_stages(make_config(stage), Places(packed, tmp_path), resume=False)
    rows = [r for r in read_metrics(tmp_path) if r["name"] == "train/loss"]
    assert final.is_file() and rows[-1]["images"] == rows[-1]["step"] * 8


def test_shards_that_changed_are_noticed(packed, tmp_path, make_config):
    config = make_config({})
    run_stages(config, Places(packed, tmp_path), resume=False)
    path = tmp_path / "stage-1-one.ckpt"
    content = torch.load(path, weights_only=True)
    content["meta"]["manifest_sha256"] = "0" * 64
    torch.save(content, path)
    with pytest.raises(ConfigError, match="other shards"):
        run_stages(config, Places(packed, tmp_path), resume=True)


def test_a_run_that_left_no_checkpoint_does_not_block_its_folder(packed, tmp_path, make_config, cut_short):
    cut_short(make_config({}, seed=1), Places(packed, tmp_path), 1)
    assert (tmp_path / "resolved.yaml").is_file() and not list(tmp_path.glob("*.ckpt"))
    run_stages(make_config({}, seed=2), Places(packed, tmp_path), resume=False)
    assert read_config(TrainConfig, tmp_path / "resolved.yaml").seed == 2
    steps = [row["step"] for row in read_metrics(tmp_path) if row["name"] == "train/loss"]
    assert steps == sorted(set(steps))


FIFTH_HEAD = {"kind": "bn_linear", "out_dim": 8, "bn_affine": False, "bn_eps": 1e-6, "image_sizes": True}


def test_a_head_with_image_sizes_trains_on_cached_features_and_on_pixels(packed_sizes, tmp_path, make_config):
    config = make_config(HEAD_ONLY, EVERYTHING, head=FIFTH_HEAD, export_image_px=24)
    final = load_checkpoint(run_stages(config, Places(packed_sizes, tmp_path), resume=False))
    reader = ShardReader(packed_sizes, "val")
    spec = final.preprocess
    embeddings = compute_features(final.embedder, reader, spec)
    # What training measured is what the stored model gives with the original sizes, and not with others.
    scores = validation_values(embeddings, items_of(reader.table))
    assert final.meta["val"]["mMP@5"] == pytest.approx(scores["val/mMP@5"], abs=1e-6)
    image = preprocess(reader.image(0), spec)[None]
    with torch.no_grad():
        right, wrong = (final.embedder(image, torch.tensor([size])) for size in (
            reader.table.sizes_px[0].tolist(), [400.0, 40.0]))
    assert torch.allclose(right[0], torch.from_numpy(embeddings[0]), atol=1e-5)
    assert not torch.allclose(wrong, right, atol=1e-2)


@pytest.mark.parametrize("head", [
    FIFTH_HEAD, {"kind": "parallel", "out_dim": 8, "dropouts": [0.1, 0.3]},
    {"kind": "multi_sample", "out_dim": 8, "dropouts": [0.1, 0.5], "bias": False},
], ids=lambda head: head["kind"])
def test_heads_with_drawings_of_their_own_survive_an_interruption(packed, tmp_path, make_config, cut_short, head):
    config = make_config(HEAD_ONLY, EVERYTHING, head=head)
    run_whole_and_cut(config, packed, tmp_path, cut_short, 7)
    assert_same_weights(tmp_path / "whole" / "final.ckpt", tmp_path / "cut" / "final.ckpt")


def only(part, scale=1.0):
    """Rules that train one of backbone, head and classifier."""
    return [{"match": rf"{part}\..*", "scale": scale}, {"match": ".*", "frozen": True}]


def first_place(config_of):
    """1st place's order in small: all data, then `tiles` by itself in three steps, then everything again."""
    tiles = {"sources": ["tiles"], "feature_cache": True}
    kept = {"start": "keep", "scale": 16.0}
    frozen_tower = [{"match": r"backbone\..*", "frozen": True}]
    return config_of(
        {"name": "all_head", "sources": ["disks"], "epochs": 3, "feature_cache": True,
         "lr_rules": [*frozen_tower, {"match": ".*", "scale": 1.0}]},
        {"name": "all_backbone", "sources": ["disks"], "lr_rules": only("backbone"), "classifier": kept,
         "head_dropout": 0.2},
        {"name": "tiles_centres", **tiles, "lr_rules": [*frozen_tower, *only("classifier")]},
        {"name": "tiles_head", **tiles, "lr_rules": [*frozen_tower, *only("head")], "classifier": kept},
        {"name": "tiles_backbone", "sources": ["tiles"], "lr_rules": only("backbone"), "classifier": kept},
        {"name": "everything", "classifier": kept, "optimizer": {"kind": "sgd", "lr": 1e-9, "momentum": 0.0}},
        head={"kind": "bn_linear", "out_dim": 8},
    )


def test_rounds_on_one_source_train_one_part_each_and_lose_no_centres(packed, tmp_path, make_config):
    config = first_place(make_config)
    run_stages(config, Places(packed, tmp_path), resume=False)
    stages = [load_checkpoint(Places(packed, tmp_path).stage_path(i, s)) for i, s in enumerate(config.stages)]
    moved = []
    for before, after in pairwise(stages):
        a, b = before.embedder.state_dict(), after.embedder.state_dict()
        moved.append({name.split(".")[0] for name in a if not torch.equal(a[name], b[name])})
    assert moved[:4] == [{"backbone"}, set(), {"head"}, {"backbone"}]

    def centres(stage, source):
        return {n: c.tolist() for n, c in zip(stage.class_names, stage.centres) if n.startswith(source)}

    disks = centres(stages[0], "disks")
    assert len(disks) > 3 and set(stages[0].class_names) == set(disks)
    # Centres that are frozen, or whose source is not trained on, are carried to the bit.
    assert all(centres(stage, "disks") == disks for stage in stages[1:5])
    tiles = centres(stages[2], "tiles")
    assert len(tiles) > 2 and centres(stages[3], "tiles") == centres(stages[4], "tiles") == tiles
    # The last stage, at a rate that moves nothing to speak of, started from both.
    for source, start in (("disks", disks), ("tiles", tiles)):
        end = centres(stages[5], source)
        assert end.keys() == start.keys()
        assert all(torch.allclose(torch.tensor(end[n]), torch.tensor(start[n]), atol=1e-5) for n in start)


def test_rounds_on_one_source_survive_an_interruption(packed, tmp_path, make_config, monkeypatch):
    config = first_place(make_config)
    run_stages(config, Places(packed, tmp_path / "whole"), resume=False)
    monkeypatch.setattr(runner, "write_final", lambda *a: (_ for _ in ()).throw(KilledError()))
    with pytest.raises(KilledError):
        run_stages(config, Places(packed, tmp_path / "cut"), resume=False)
    monkeypatch.undo()
    for name in ("stage-4-tiles_head.ckpt", "stage-5-tiles_backbone.ckpt", "stage-6-everything.ckpt"):
        (tmp_path / "cut" / name).unlink()
    run_stages(config, Places(packed, tmp_path / "cut"), resume=True)
    whole, cut = (load_checkpoint(tmp_path / name / "final.ckpt") for name in ("whole", "cut"))
    assert whole.class_names == cut.class_names and torch.equal(whole.centres, cut.centres)
    assert_same_weights(tmp_path / "whole" / "final.ckpt", tmp_path / "cut" / "final.ckpt")
