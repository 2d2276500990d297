import pytest

from data_prep.errors import ConfigError
from train.config import CONFIGS_DIR, StageConfig, load_train_config

STAGE = {
    "name": "one", "image_px": 32, "epochs": 1, "batch_size": 4, "optimizer": {"lr": 0.1},
    "lr_rules": [{"match": ".*", "scale": 1}], "margin": {"kind": "arcface", "margin_rad": 0.5},
}


def test_every_shipped_config_reads():
    names = sorted(path.stem for path in CONFIGS_DIR.glob("*.yaml"))
    assert {"pocket", "quickstart", "vith14"} <= set(names)  # tests/train/test_recipes.py knows them all
    for name in names:
        assert load_train_config(name).name == name


def test_overrides_reach_into_stages():
    config = load_train_config("quickstart", ("stages.1.image_px=64", "seed=3"))
    assert config.stages[1].image_px == 64 and config.seed == 3


FROZEN_TOWER = [{"match": r"backbone\..*", "frozen": True}, {"match": ".*", "scale": 1.0}]


@pytest.mark.parametrize("change, part", [
    ({"epochs": 1, "images": 5}, "exactly one"),
    ({"epochs": None}, "exactly one"),
    ({"feature_cache": True}, "frozen backbone"),
    ({"feature_cache": {"views": 2}}, "frozen backbone"),
    ({"feature_cache": {"views": 0}, "lr_rules": FROZEN_TOWER}, "greater than or equal to 1"),
    ({"feature_cache": {"views": 2}, "lr_rules": FROZEN_TOWER, "augmentation": {"preset": "none"}}, "augmented views"),
    ({"feature_cache": True, "lr_rules": FROZEN_TOWER, "compile": True}, "does not run"),
    ({"feature_cache": True, "lr_rules": FROZEN_TOWER, "gradient_checkpointing": True}, "does not run"),
    ({"margin": {"kind": "arcface", "margin_cos": 0.3}}, "margin_rad"),
    ({"margin": {"kind": "cosface", "margin_rad": 0.3}}, "margin_cos"),
    ({"lr_rules": [{"match": ".*", "scale": 1, "frozen": True}]}, "exactly one"),
    ({"lr_rules": [{"match": ".*", "scale": 0}]}, "greater than 0"),
    ({"lr_rules": []}, "at least 1"),
    ({"lr_rules": [{"scale": 1}]}, "match or blocks"),
    ({"lr_rules": [{"match": ".*", "blocks": [0, 2], "scale": 1}]}, "match or blocks"),
    ({"lr_rules": [{"blocks": [5, 5], "scale": 1}]}, "0 <= first < end"),
    ({"distillation": {"weight": 1.0}, "batch_size": 1}, "give batch_size 2 or more"),
    ({"lr_rules": [{"match": ".*", "frozen": True, "weight_decay": 0.1}]}, "frozen parameters have no weight_decay"),
])
def test_contradictions_are_errors(change, part):
    StageConfig.model_validate(STAGE)  # the unchanged stage is fine
    with pytest.raises(ValueError, match=part):
        StageConfig.model_validate(STAGE | change)


def test_unknown_key_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"stages\.0\.learning_rate: unknown key; known: accumulate_batches"):
        load_train_config("quickstart", ("stages.0.learning_rate=1",))


def test_first_stage_cannot_keep_centres():
    with pytest.raises(ConfigError, match="no centres to keep"):
        load_train_config("quickstart", ("stages.0.classifier.start=keep",))


def test_kept_centres_are_as_many_as_those_of_the_stage_before(make_config):
    kept = {"name": "two", "classifier": {"start": "keep", "n_sub_centres": 2}}
    make_config({"classifier": {"n_sub_centres": 2}}, kept)
    with pytest.raises(ConfigError, match=r"stages\.1 \(two\): classifier\.start keep.*sub_centres.*before, 1; got 2"):
        make_config({}, kept)


def test_a_run_without_stages_says_its_image_size():
    assert load_train_config("quickstart", ("stages=[]",)).stages == ()
    with pytest.raises(ConfigError, match="without stages there is no image size: give export_image_px"):
        load_train_config("quickstart", ("stages=[]", "export_image_px=null"))


@pytest.mark.parametrize("override, part", [
    ("views=[{flip: true}, {flip: true}]", "the same view twice"),
    ("views=[]", "at least 1"),
    ("views=[{crop: 1.5}]", "less than or equal to 1"),
    ("views=[{zoom: 2}]", r"views\.0\.zoom: unknown key; known: at, crop, flip, image_px, resize"),
    ("views=[{at: top_left}]", "at: top_left without a crop is the whole picture"),
    ("views=[{at: middle, crop: 0.9}]", "bottom_left"),
    ("projection={tower_share: 0.4}", "tower_share belongs to kind similarity, which needs it; kind is 'pca'"),
    ("projection={kind: similarity, tower_share: 0.4}", "temperature belongs to kind similarity, which needs it"),
    ("projection={kind: similarity, tower_share: 0.4, temperature: 0.1, fitted_on: raw}",
     "kind similarity is fitted on what it is applied after: fitted_on must be 'unit'"),
    ("projection={augmented_views: 3}", "augmented_views above 0 need an augmentation, and an augmentation needs them"),
    ("projection={augmentation: {preset: crop}}", "augmented_views above 0 need an augmentation"),
    ("projection={augmented_views: 3, augmentation: {preset: none}}", "preset none changes no image"),
    ("projection={out_dim: 65}", r"projection\.out_dim 65 is above head\.out_dim 64"),
])
def test_views_and_projection_are_checked(override, part):
    with pytest.raises(ConfigError, match=part):
        load_train_config("quickstart", (override,))


def test_teachers_of_all_stages_have_one_width():
    stages = ("stages.0.domain_teachers.dim=32", "stages.1.domain_teachers.dim=16")
    assert load_train_config("quickstart", stages[:1]).stages[0].domain_teachers.relation_weight == 31.0
    with pytest.raises(ConfigError, match=r"domain_teachers\.dim differs between stages \(\[16, 32\]\)"):
        load_train_config("quickstart", stages)


@pytest.mark.parametrize("change, part", [
    ({"ema_decay": 0.9}, "ema_decay"),
    ({"optimizer": {"lr": 0.1, "kind": "sam", "rho": 0.05}}, "sam"),
    ({"precision": "16-mixed"}, "16-mixed"),
])
def test_what_does_not_work_on_weights_that_are_cut_up(make_config, change, part):
    make_config(change)
    make_config({}, strategy="fsdp")
    with pytest.raises(ConfigError, match=f"stages.0: .*{part}.*strategy: ddp"):
        make_config(change, strategy="fsdp")
