import pytest

from benchmarks.recipes import draw, load_recipes, table_of
from train.config import TrainConfig


def run(balanced, recall, **per_domain):
    return {
        "balanced": {"mMP@5": balanced, "R@1": recall},
        "per_domain": {domain: {"mMP@5": value} for domain, value in per_domain.items()},
    }


def test_every_recipe_is_a_config_and_trains_the_tower_on_the_same_number_of_images():
    recipes = {name: TrainConfig.model_validate({**tree, "name": name}) for name, tree in load_recipes().items()}
    assert {"ours", "ujcds", "ujcrr", "uscrr", "unifex", "place1", "place2"} <= recipes.keys()
    assert len({config.backbone for config in recipes.values()}) == 1
    tuned = [stage for config in recipes.values() for stage in config.stages if not stage.feature_cache]
    assert len(tuned) == len(recipes) - 1  # one recipe leaves the tower frozen
    assert {(stage.image_px, stage.epochs) for stage in tuned} == {(128, 2)}


def test_the_table_has_the_best_recipe_first():
    scores = {"a": [run(0.2, 0.5, cars=0.1, toys=0.3)], "b": [run(0.4, 0.6, cars=0.4, toys=0.4),
                                                             run(0.6, 0.8, cars=0.5, toys=0.7)]}
    assert table_of(scores)[2:] == [
        "| b | 2 | **0.500** | 0.400 .. 0.600 | 0.700 | 0.450 | 0.550 |",
        "| a | 1 | **0.200** | 0.200 .. 0.200 | 0.500 | 0.100 | 0.300 |",
    ]


@pytest.mark.parametrize("n_recipes", [1, 3])
def test_the_figure_is_drawn(tmp_path, n_recipes):
    draw({f"r{n}": [run(0.1 * n, 0.5)] for n in range(n_recipes)}, tmp_path / "recipes.png")
    assert (tmp_path / "recipes.png").read_bytes().startswith(b"\x89PNG")
