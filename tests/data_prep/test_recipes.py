"""The mixtures of the field: every one loads, says where its numbers come from, and has them."""

import pytest

from data_prep.mixture import MIXTURES_DIR, load_mixture

N_SOURCES = {
    "uned": 8, "m4d_35k": 4, "place1": 8, "place2": 14, "place3": 2, "place4": 2, "place5": 4, "place6": 11,
    "place13": 3, "place14": 5, "rank78": 5,
}  # fmt: skip
OWN = {"quickstart", "pocket"}


def settings(name):
    return {config.source: config for config in load_mixture(name).sources}


def test_the_mixtures_are_the_known_ones():
    found = {path.stem for path in MIXTURES_DIR.glob("*.yaml")}
    assert found == OWN | set(N_SOURCES) and len(found) == 13


@pytest.mark.parametrize("name", N_SOURCES)
def test_each_loads_with_all_its_sources_and_names_the_origin_of_its_numbers(name):
    assert len(load_mixture(name).sources) == N_SOURCES[name]
    header = (MIXTURES_DIR / f"{name}.yaml").read_text(encoding="utf-8").split("\nname:")[0]
    assert all(line.startswith("#") for line in header.splitlines()) and "\n# Numbers: " in header


def test_the_second_places_minimums_cap_and_floor():
    sources = settings("place2")
    three = {key for key, config in sources.items() if config.min_per_class == 3}
    assert three == {"shopee", "met", "deepfashion_consumer_to_shop", "deepfashion2", "fashion200k"}
    assert all(config.min_per_class == 5 for key, config in sources.items() if key not in three)
    assert {(config.cap_per_class, config.repeat_to) for config in sources.values()} == {(100, 20)}


def test_the_first_place_had_no_limits():
    limits = {(c.min_per_class, c.cap_per_class, c.max_classes, c.repeat_to) for c in load_mixture("place1").sources}
    assert limits == {(1, None, None, None)}


def test_third_fourth_fifth_and_fourteenth():
    assert [(c.min_per_class, c.cap_per_class, c.max_classes) for c in load_mixture("place3").sources] == [
        (1, 50, None), (1, 50, 7000),
    ]  # fmt: skip
    fourth = {(c.min_per_class, c.cap_per_class, c.max_classes) for c in load_mixture("place4").sources}
    assert fourth == {(4, 50, 9691)}
    assert settings("place5")["food101"].cap_per_class == 30
    assert settings("place14")["met"].cap_per_class == 9


def test_m4d_reads_the_refined_cars_through_their_table():
    sources = settings("m4d_35k")
    assert {config.min_per_class for config in sources.values()} == {3}
    assert (sources["gldv2"].cap_per_class, sources["gldv2"].max_classes) == (100, 10_000)
    assert sources["stanford_cars_refined"].options["class_column"] == "Class"


def test_no_recipe_asks_for_an_official_split_that_does_not_exist():
    for name in N_SOURCES:
        assert all(config.split == "by_class" for key, config in settings(name).items() if key == "met")
