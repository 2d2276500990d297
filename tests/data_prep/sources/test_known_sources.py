from data_prep.mixture import load_mixture
from data_prep.sources import SOURCES

KEYS = {"products_10k", "stanford_products", "stanford_cars", "deepfashion_inshop", "gldv2", "met"}


def test_each_source_is_found_under_its_own_key_and_says_how_to_get_it():
    assert set(SOURCES) == KEYS
    assert all(source.key == key and source.fetch and source.licence for key, source in SOURCES.items())
    assert len({source.domain for source in SOURCES.values()}) == len(SOURCES)  # scored apart
    assert len({source.raw_dir for source in SOURCES.values()}) == len(SOURCES)


def test_the_quickstart_uses_all_and_makes_val_classes_of_each():
    sources = {config.source: config for config in load_mixture("quickstart").sources}
    assert set(sources) == KEYS
    assert all(config.val_fraction > 0 for config in sources.values())
    no_official_split = {key for key, config in sources.items() if config.split == "by_class"}
    assert no_official_split == {"products_10k", "met"}
    assert all(sources[key].test_fraction > 0 for key in no_official_split)
