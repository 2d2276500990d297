import yaml

from benchmarks.left_out import HEADING, PAIRS, recipe_without, table_of
from benchmarks.recipes import RECIPES_PATH, load_recipes
from train.config import TrainConfig


def run(pair, **values):
    """One `score_run`: the values of each kind for both domains of the pair."""
    return {name: dict(zip(pair, both)) for name, both in values.items()}


BASES = {"off_the_shelf": (0.7, 0.5), "pca_64": (0.5, 0.3), "pca_whitened_64": (0.6, 0.2), "roots_64": (0.5, 0.4)}


def test_each_domain_is_left_out_once():
    assert sorted(domain for pair in PAIRS for domain in pair) == [
        "apparel", "emoji", "furniture", "groceries", "logos", "objects", "places", "toys"]


def test_no_stage_sees_the_pair_and_nothing_is_chosen_by_the_validation_classes():
    recipe = {**load_recipes()["ours"], "choose": "best_validation"}
    without = recipe_without(recipe, ("b", "d"), ["a", "b", "c", "d"])
    config = TrainConfig.model_validate({**yaml.safe_load(yaml.safe_dump(without)), "name": "x"})
    assert [stage.sources for stage in config.stages] == [("a", "c")] * 2
    assert config.choose == "last"


def test_the_table_by_hand_against_the_best_projection_of_each_domain():
    scores = {"ours": [run(("cars", "toys"), **BASES, tuned_tower=(0.8, 0.6), embedding=(0.7, 0.2)),
                       run(("cars", "toys"), **BASES, tuned_tower=(0.6, 0.6), embedding=(0.9, 0.4))]}
    assert table_of(scores)[2:] == [
        "| cars | 0.700 | 0.500 | 0.600 | 0.500 | 0.700 | 0.800 | +0.200 |",
        "| toys | 0.500 | 0.300 | 0.200 | 0.400 | 0.600 | 0.300 | -0.100 |",
        "| **mean** | 0.600 | 0.400 | 0.400 | 0.450 | 0.650 | 0.550 | +0.050 |",
    ]


def test_several_recipes_stand_side_by_side():
    one = run(("cars", "toys"), **BASES, tuned_tower=(0.8, 0.6), embedding=(0.7, 0.5))
    other = run(("cars", "toys"), **BASES, tuned_tower=(0.9, 0.6), embedding=(0.6, 0.5))
    heading, _, cars, *_ = table_of({"ours": [one], "place2": [other]})
    assert heading.count(" | ") == cars.count(" | ") == 10
    assert cars.endswith("| 0.800 | 0.700 | +0.100 | 0.900 | 0.600 | +0.000 |")


def test_the_section_is_there_for_the_table():
    results = RECIPES_PATH.with_name("RESULTS.md").read_text(encoding="utf-8").splitlines()
    assert HEADING in results
