from benchmarks.recipes import RECIPES_PATH, load_recipes
from benchmarks.specialists import HEADING, best_step, recipe_of, table_of
from train.config import TrainConfig


def scored(**per_domain):
    return {domain: {"mMP@5": value} for domain, value in per_domain.items()}


def val(stage, step, domain, value):
    return {"stage": stage, "step": step, "images": 8 * step, "name": f"val/mMP@5/{domain}", "value": value}


def test_every_stage_sees_the_domain_alone_and_the_last_is_validated_after_each_epoch():
    config = TrainConfig.model_validate({**recipe_of(["toys"], 5), "name": "x"})
    assert [stage.sources for stage in config.stages] == [("toys",), ("toys",)]
    assert [(stage.name, stage.epochs, stage.rounds) for stage in config.stages] == [
        ("head", 15, 1), ("everything", 5, 5)]


def test_the_best_step_is_of_the_last_stage_and_of_the_domain_and_the_first_of_equals():
    rows = [val("head", 40, "toys", 0.9), val("all", 10, "toys", 0.5), val("all", 10, "cars", 0.9),
            val("all", 20, "toys", 0.7), val("all", 20, "cars", 0.8), val("all", 30, "toys", 0.7)]
    assert best_step(rows, "toys") == 20 and best_step(rows, "cars") == 10


def test_the_oracle_is_below_the_specialists_and_their_means_beside_them():
    record = {
        "matrix": {"cars": scored(cars=0.8, toys=0.1), "toys": scored(cars=0.2, toys=0.6)},
        "mean": {"cars": {"mMP@5": 0.45}, "toys": {"mMP@5": 0.4}},
        "oracle": {"per_domain": scored(cars=0.8, toys=0.6), "balanced": {"mMP@5": 0.7}},
    }
    assert table_of(record) == [
        "| trained on | mMP@5 | cars | toys |", "| --- | --- | --- | --- |", "| cars | 0.450 | 0.800 | 0.100 |",
        "| toys | 0.400 | 0.200 | 0.600 |", "| **oracle** | 0.700 | 0.800 | 0.600 |",
    ]


def test_the_section_is_there_for_the_table():
    assert HEADING in RECIPES_PATH.with_name("RESULTS.md").read_text(encoding="utf-8").splitlines()


def test_both_stages_of_uscss_draw_domains_by_the_steps_of_the_specialists():
    head, everything = (stage["sampler"] for stage in load_recipes()["uscss"]["stages"])
    assert head == everything and head["kind"] == "specialist_steps" and len(head["steps_by_source"]) == 8
