"""The recipes of the field: every config is known, builds its real model, and runs to a scored file in small."""

import re
from pathlib import Path

import pytest

from data_prep.build import build
from data_prep.mixture import MIXTURES_DIR, load_mixture
from data_prep.sample_world import render_world
from export.convert import main as convert
from submission.validate import main as validate
from train.checkpoint import load_checkpoint
from train.concatenate import main as concatenate
from train.config import CONFIGS_DIR, load_train_config
from train.estimate import build_on_meta, named_on_meta
from train.fit import main as fit
from train.optim.param_groups import build_param_groups

# Parameters of towers at the size of the recipe's first stage.
# ViT-H/14 by hand: 32 blocks of 4 * 1280^2 + 2 * 1280 * 5120 weights, 5 * 1280 + 5120 biases and 4 * 1280 of two norms;
# patches 588 * 1280, class token 1280, 257 positions, two norms outside, projection 1280 * 1024.
H14 = (32 * (4 * 1280**2 + 2 * 1280 * 5120 + 5 * 1280 + 5120 + 4 * 1280)
       + 588 * 1280 + 1280 + 257 * 1280 + 4 * 1280 + 1280 * 1024)
H14_TOKEN = H14 - 1280 * 1024
L14_336 = 304_293_888    # OpenAI's ViT-L/14@336px
B16_CLIP = 86_192_640 - 768 * 512  # open_clip's visual of ViT-B-16, without its projection
B16 = 85_798_656         # timm: vit_base_patch16_224, num_classes=0
B14_DINOV2 = 85_724_928  # timm, at 224 px: 257 positions in place of 1,370 at 518 px
SO400M_14_384 = 428_225_600
LITE0 = 3_371_008
RESNET50 = 23_508_032    # torchvision's 25,557,032 without the classifier's 2,049,000

# config -> (stages, parameters of the tower, of the head)
RECIPES = {
    "place1": (13, H14, 1024 * 64 + 64),
    "place2": (2, H14_TOKEN, 1280 * 64 + 64),
    "place3": (2, H14_TOKEN, 20 * (1280 * 64 + 64)),
    "place4_h": (1, H14, 1024 * 512),
    "place4_l": (1, L14_336, 768 * 512),
    "place5": (1, H14, 1027 * 64 + 64),
    "place6": (1, H14, 2 * 1024 + 1024 * 256 + 256),
    "place9": (2, H14, 1024 * 64 + 64),
    "rank78": (1, B16, 768 * 64 + 64),
    "unifex": (1, SO400M_14_384, 1152 * 64 + 64),
    "unifex_class_size": (1, SO400M_14_384, 1152 * 64 + 64),
    "unified_h14": (3, H14_TOKEN, 1280 * 256 + 256),
    # 256 and not 729 positions, patches of 16 and not 14 px.
    "unified_siglip2": (3, SO400M_14_384 + 1152 * (256 - 729 + 3 * (16**2 - 14**2)), 1152 * 256 + 256),
    "vith14": (3, H14, 1024 * 64 + 64),
    "quickstart": (3, LITE0, 1280 * 64 + 64),
    "pocket": (3, LITE0, 1280 * 64 + 64),
    "off_the_shelf_clip": (0, B16_CLIP, 0),
    "off_the_shelf_in21k": (0, B16, 0),
    "off_the_shelf_dinov2": (0, B14_DINOV2, 0),
    "off_the_shelf_multigrain": (0, RESNET50, 0),
}
UNED_UNIVERSAL = ("uned_ujcds", "uned_ujcrr", "uned_uscrr", "uned_uscss")
EPOCHS_BY_SPECIALIST = {"food2k": 3, "cars": 11, "sop": 28, "inshop": 28, "inat": 4, "met": 8, "gldv2": 6, "rp2k": 4}
SPECIALISTS = tuple(f"uned_specialist_{key}" for key in EPOCHS_BY_SPECIALIST)
RECIPES |= dict.fromkeys((*UNED_UNIVERSAL, "uned_udon", *SPECIALISTS), (2, B16_CLIP, 768 * 64 + 64))
N_CLASSES = 1000
IN21K = "backbone={kind: timm, arch: vit_base_patch16_224, weights: 'hub:augreg_in21k'}"


def test_the_configs_are_the_known_ones():
    assert {path.stem for path in CONFIGS_DIR.glob("*.yaml")} == set(RECIPES) and len(RECIPES) == 33


def test_vith14_by_hand_is_the_published_tower():
    assert H14 == 632_076_800  # open_clip's visual of ViT-H-14


@pytest.mark.parametrize("name", RECIPES)
def test_each_builds_its_real_model_and_its_rules_cover_it(name):
    config = load_train_config(name)
    n_stages, n_tower, n_head = RECIPES[name]
    assert config.name == name and len(config.stages) == n_stages
    for number, stage in enumerate(config.stages or (None,)):
        embedder, classifier = build_on_meta(config, stage, N_CLASSES)
        counts = [sum(p.numel() for p in part.parameters()) for part in (embedder.backbone, embedder.head)]
        if number == 0:
            assert counts == [n_tower, n_head]
        if stage is not None:
            assert classifier.centres.shape == (N_CLASSES, stage.classifier.n_sub_centres, config.head.out_dim)
            groups = build_param_groups(named_on_meta(embedder, classifier), stage.lr_rules, stage.optimizer.lr, 0.0)
            assert groups, stage.name  # an uncovered parameter or an idle rule would have raised


@pytest.mark.parametrize("name", RECIPES)
def test_each_reads_sources_that_its_mixture_has(name):
    config = load_train_config(name)
    assert (MIXTURES_DIR / f"{config.mixture}.yaml").is_file()
    sources = {source.source for source in load_mixture(config.mixture).sources}
    for stage in config.stages:
        assert set(stage.sources or ()) <= sources
        assert set(stage.sampler.steps_by_source or ()) in (set(), sources)


@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"quickstart", "pocket", "vith14"}))
def test_each_header_says_what_a_reader_needs(name):
    header = (CONFIGS_DIR / f"{name}.yaml").read_text(encoding="utf-8").partition("\nname: ")[0]
    said = re.findall(r"^#   (\w+) {3,}\S", header, flags=re.MULTILINE)
    assert [key for key in said if key != "projected"] == ["command", "data", "hardware", "cost", "score", "source"]
    assert f"train.fit {name}" in header and not re.search("@[A-Z]", header)


@pytest.mark.parametrize("name", (*UNED_UNIVERSAL, *SPECIALISTS))
def test_uned_recipes_also_take_the_imagenet_tower(name):
    config = load_train_config(name, (IN21K,))
    for stage in config.stages:
        embedder, classifier = build_on_meta(config, stage, N_CLASSES)
        assert sum(p.numel() for p in embedder.backbone.parameters()) == B16
        assert build_param_groups(named_on_meta(embedder, classifier), stage.lr_rules, stage.optimizer.lr, 0.0)


def test_specialists_differ_in_source_and_length_alone():
    plans = set()
    for name, n_epochs in zip(SPECIALISTS, EPOCHS_BY_SPECIALIST.values()):
        config = load_train_config(name)
        (source,) = {stage.sources for stage in config.stages}
        assert len(source) == 1 and [stage.epochs for stage in config.stages] == [2, n_epochs - 2]
        own = {"sources": None, "epochs": None, "rounds": None}
        stages = tuple(stage.model_copy(update=own) for stage in config.stages)
        plans.add(config.model_copy(update={"name": "", "stages": stages}).model_dump_json())
    assert len(plans) == 1


def test_the_steps_of_specialists_are_whole_epochs():
    """The published numbers of steps and images give the lengths above: steps = epochs * (images // 128)."""
    images = {"food2k": 472_349, "cars": 6_346, "sop": 48_942, "inshop": 20_897, "inat": 273_929, "met": 397_121,
              "gldv2": 1_422_914, "rp2k": 188_724}
    steps = load_train_config("uned_uscss").stages[0].sampler.steps_by_source
    assert list(steps.values()) == [EPOCHS_BY_SPECIALIST[key] * (n // 128) for key, n in images.items()]


def test_first_place_trains_one_part_at_a_time():
    stages = load_train_config("place1").stages
    products = [stage.sources == ("products_10k",) for stage in stages]
    assert products == [False, False, True, True, True, False, True, True, True, False, True, True, True]
    assert [stage.image_px for stage in stages] == [224] * 5 + [280] * 4 + [290] * 4
    assert {stage.margin.margin_cos for stage, own in zip(stages, products) if own} == {0.65}
    assert [stage.name.split("_")[1] for stage in stages] == [
        "head", "tower", "centres", "head", "tower", "everything", "centres", "head", "tower", "everything", "centres",
        "head", "tower"]


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """The quickstart's six sources, rendered small and packed: folder with manifest.json."""
    root = tmp_path_factory.mktemp("world")
    render_world(root / "raw", scale=0.1, n_workers=1)
    return build(load_mixture("quickstart"), root / "raw", root / "shards", n_workers=1).parent


def run_in_small(name: str, shards_dir: Path, run_dir: Path, *overrides: str) -> int:
    """Train the smoke form, export it, score the file; the width of its embedding."""
    assert fit([name, "--smoke", "--shards", str(shards_dir), "--run-dir", str(run_dir), *overrides]) == 0
    head_spec = load_checkpoint(run_dir / "final.ckpt").head_spec
    out_dim = head_spec.get("projection", head_spec)["out_dim"]
    assert convert([str(run_dir / "final.ckpt"), "--out-dim", str(out_dim)]) == 0
    if out_dim <= 64:  # the host takes no more
        assert validate([str(run_dir / "saved_model.pt"), "--shards", str(shards_dir), "--no-baselines"]) == 0
        assert (run_dir / "validation.json").is_file()
    return out_dim


@pytest.mark.parametrize("name, out_dim", [("uned_uscss", 64), ("off_the_shelf_clip", 72)])
def test_two_recipes_run_to_an_exported_file(packed, tmp_path, name, out_dim):
    """On the training tests' patterns, which have too few test images for a score of every domain."""
    assert run_in_small(name, packed, tmp_path) == out_dim


@pytest.mark.slow
def test_every_recipe_runs_to_a_scored_file(world, tmp_path):
    widths = {}
    for name in RECIPES:
        widths[name] = run_in_small(name, world, tmp_path / name)
    wide = {name: width for name, width in widths.items() if width != 64}
    assert wide == {"place4_h": 512, "place4_l": 512, "off_the_shelf_multigrain": 2048,
                    "off_the_shelf_clip": 72, "off_the_shelf_in21k": 72, "off_the_shelf_dinov2": 72}
    assert len(widths) == 33


@pytest.mark.slow
@pytest.mark.parametrize("head", ["{kind: unit_linear, init: pca, init_whitening: 1.0, init_images_per_domain: 50}",
                                  "{kind: unit_linear, bias: false}"])
def test_projected_towers_run_to_a_scored_file(world, tmp_path, head):
    assert run_in_small("off_the_shelf_in21k", world, tmp_path, f"head={head}") == 64


@pytest.mark.slow
def test_fourth_places_two_towers_run_to_one_scored_file(world, tmp_path):
    """The commands of place4_h's header: side by side (1,024 numbers), PCA to 64."""
    finals = [tmp_path / name / "final.ckpt" for name in ("place4_h", "place4_l")]
    for final in finals:
        assert fit([final.parent.name, "--smoke", "--shards", str(world), "--run-dir", str(final.parent)]) == 0
    both = tmp_path / "place4" / "final.ckpt"
    assert concatenate([*map(str, finals), "--shards", str(world), "--pca", "64", "--out", str(both)]) == 0
    assert convert([str(both)]) == 0
    assert validate([str(both.with_name("saved_model.pt")), "--shards", str(world), "--no-baselines"]) == 0
