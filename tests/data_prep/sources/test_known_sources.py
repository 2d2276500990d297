import re

from data_prep.mixture import load_mixture
from data_prep.sample_world import RENDERED
from data_prep.sources import SOURCES


def test_each_source_is_found_under_its_own_key_and_says_how_to_get_it():
    assert all(source.key == key and source.fetch and source.licence for key, source in SOURCES.items())
    assert all(re.fullmatch("[a-z0-9_]+", key) for key in SOURCES)
    assert len({source.raw_dir for source in SOURCES.values()}) == len(SOURCES)
    assert len({source.title for source in SOURCES.values()}) == len(SOURCES)


def test_the_quickstart_uses_the_sample_world_scores_all_apart_and_makes_val_classes_of_each():
    sources = {config.source: config for config in load_mixture("quickstart").sources}
    assert set(sources) == set(RENDERED) <= set(SOURCES)
    assert len({SOURCES[key].domain for key in sources}) == len(sources)  # scored apart
    assert all(config.val_fraction > 0 for config in sources.values())
    no_official_split = {key for key, config in sources.items() if config.split == "by_class"}
    assert no_official_split == {"products_10k", "met"}
    assert all(sources[key].test_fraction > 0 for key in no_official_split)
