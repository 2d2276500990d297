import pytest
import yaml

from data_prep import mixture
from data_prep.errors import ConfigError
from data_prep.mixture import MIXTURES_DIR, load_mixture, source_of
from data_prep.sample_world import RENDERED

FOLDERS = {"source": "mine", "reader": "class_folders", "domain": "toys"}


def write(tmp_path, *sources, **keys):
    path = tmp_path / "m.yaml"
    path.write_text(
        yaml.safe_dump({"name": "m", "seed": 0, "image_px": 64, "sources": list(sources), **keys})
    )
    return str(path)


def test_defaults_and_overrides(tmp_path):
    config = load_mixture(write(tmp_path, FOLDERS), ["image_px=96", "sources.0.cap_per_class=5"])
    assert (config.image_px, config.jpeg_quality, config.exif_orientation) == (96, 92, "ignore")
    assert (config.sources[0].cap_per_class, config.sources[0].min_per_class) == (5, 1)
    assert config.sources[0].split == "official"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "sources.0.colour: unknown key; known:"),
        ({"reader": "folders"}, "sources.0.reader"),
        ({"reader": "table", "options": {"pth": 1}}, "unknown option 'pth'; known: file, path_column"),
        ({"domain": None}, "needs a domain"),
        ({"source": "My set"}, "sources.0.source"),
        ({"test_fraction": 0.2}, "test_fraction is for split: by_class"),
        ({"split": "by_class", "test_fraction": 0.6, "val_fraction": 0.6}, "more than 1"),
        ({"val_fraction": 1.5}, "sources.0.val_fraction"),
        ({"cap_per_class": 2, "min_per_class": 3}, "cap_per_class 2 is below min_per_class 3"),
        ({"raw_dir": "../elsewhere"}, "below the raw root"),
        ({"raw_dir": "/data"}, "below the raw root"),
        ({"reader": None}, "source 'mine': no such source; known:"),
        ({"source": "cars_of_mine", "reader": None, "options": {"file": "x"}}, "there is no reader"),
    ],
)
def test_each_mistake_is_named(tmp_path, change, message):
    with pytest.raises(ConfigError) as caught:
        load_mixture(write(tmp_path, FOLDERS | change))
    assert message in str(caught.value)


def test_all_mistakes_come_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_mixture(write(tmp_path, FOLDERS | {"domain": None}, FOLDERS | {"repeat_to": 0}, image_px="big"))
    for part in ("image_px", "sources.0", "sources.1.repeat_to"):
        assert part in str(caught.value)


def test_a_source_can_be_listed_once(tmp_path):
    with pytest.raises(ConfigError, match="listed more than once: mine"):
        load_mixture(write(tmp_path, FOLDERS, FOLDERS))


def test_a_mixture_needs_a_source(tmp_path):
    with pytest.raises(ConfigError, match="expected at least one source"):
        load_mixture(write(tmp_path))


def test_an_unknown_mixture_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"no mixture 'quick'; known: .*pocket, quickstart"):
        load_mixture("quick")


def test_an_unknown_source_names_the_known_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(mixture, "SOURCES", {"met": None, "gldv2": None})
    with pytest.raises(ConfigError, match="'sop': no such source; known: gldv2, met; data of your own"):
        load_mixture(write(tmp_path, {"source": "sop"}))


def test_a_generic_source_takes_its_own_name_as_folder(tmp_path):
    config = load_mixture(write(tmp_path, FOLDERS, FOLDERS | {"source": "b", "raw_dir": "x/y"}))
    assert [source_of(source).raw_dir for source in config.sources] == ["mine", "x/y"]


def test_every_mixture_of_the_project_loads_under_its_own_name():
    names = sorted(path.stem for path in MIXTURES_DIR.glob("*.yaml"))
    assert {"pocket", "quickstart"} <= set(names)
    for name in names:
        assert load_mixture(name).name == name


def test_quickstart_uses_every_source_of_the_sample_world():
    assert {source.source for source in load_mixture("quickstart").sources} == set(RENDERED)


def test_pocket_reads_one_table_once_for_each_domain():
    sources = load_mixture("pocket").sources
    assert [source.source for source in sources] == [
        "apparel", "emoji", "furniture", "groceries", "logos", "objects", "places", "toys",
    ]  # fmt: skip
    for source in sources:
        assert source.domain == source.source
        assert source.options["where"] == {"domain": source.source}
        assert source.options["path_column"] == "image"


def test_only_equal_bytes_are_copies_unless_the_mixture_says_otherwise(tmp_path):
    config = load_mixture(write(tmp_path, FOLDERS))
    assert config.near_duplicates is None and config.leak_guard is None
    config = load_mixture(write(tmp_path, FOLDERS, near_duplicates={}, leak_guard=["a.csv"]))
    assert (config.near_duplicates.max_bits, config.near_duplicates.across_classes) == (4, "report")
    assert config.leak_guard == ("a.csv",)
    with pytest.raises(ConfigError) as caught:
        load_mixture(write(tmp_path, FOLDERS, near_duplicates={"max_bits": 11, "across_classes": "keep", "bits": 1}))
    for key in ("max_bits", "across_classes", "near_duplicates.bits: unknown key"):
        assert key in str(caught.value)
