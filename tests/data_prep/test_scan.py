import pytest

from data_prep.config_files import build_config
from data_prep.errors import ConfigError
from data_prep.mixture import MixtureConfig
from data_prep.scan import scan_sources


def config(*sources):
    generic = [
        {"reader": "class_folders", "domain": "toys", "split": "by_class", **source} for source in sources
    ]
    tree = {"name": "m", "seed": 0, "image_px": 64, "sources": generic}
    return build_config(MixtureConfig, tree, "test")


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_all_sources_in_one_sorted_table(tmp_path):
    touch(tmp_path, "zoo/cat/1.jpg", "art/pot/2.jpg", "art/cup/3.jpg")
    table = scan_sources(config({"source": "zoo"}, {"source": "paintings", "raw_dir": "art"}), tmp_path)
    assert table.select("source", "class_key", "path").rows() == [
        ("paintings", "cup", "art/cup/3.jpg"),
        ("paintings", "pot", "art/pot/2.jpg"),
        ("zoo", "cat", "zoo/cat/1.jpg"),
    ]


def test_by_class_forgets_official_splits_and_keeps_roles(tmp_path):
    touch(tmp_path, "zoo/Test/cat/1.jpg")
    options = {"split_folders": {"Test": "test"}}
    for split, expected in (("official", "test"), ("by_class", "")):
        table = scan_sources(config({"source": "zoo", "split": split, "options": options}), tmp_path)
        assert table.select("split", "role").rows() == [(expected, "both")]


def test_what_is_wrong_with_any_source_comes_at_once(tmp_path):
    touch(tmp_path, "zoo/readme.txt")
    with pytest.raises(ConfigError) as caught:
        scan_sources(config({"source": "zoo"}, {"source": "art"}), tmp_path)
    assert "zoo: expected a folder for each class" in str(caught.value)
    assert f"art: no folder {tmp_path / 'art'}; to get it: put" in str(caught.value)


def test_wrong_values_name_the_source_and_its_folder(tmp_path):
    touch(tmp_path, "zoo/Test/cat/1.jpg")
    options = {"split_folders": {"Test": "testing"}}
    with pytest.raises(ConfigError, match=r"zoo in .*zoo: 1 problem.*\n.*got 'testing'"):
        scan_sources(config({"source": "zoo", "split": "official", "options": options}), tmp_path)


def test_an_incomplete_data_set_is_said_part_by_part(tmp_path, capsys):
    folder = tmp_path / "Stanford_Online_Products"
    touch(folder, "mug_final/1_0.JPG", "mug_final/2_0.JPG")
    header = "image_id class_id super_class_id path\n"
    (folder / "Ebay_train.txt").write_text(header + "1 1 1 mug_final/1_0.JPG\n")
    (folder / "Ebay_test.txt").write_text(header + "2 2 1 mug_final/2_0.JPG\n")
    tree = {"name": "m", "seed": 0, "image_px": 64, "sources": [{"source": "stanford_products"}]}
    scan_sources(build_config(MixtureConfig, tree, "test"), tmp_path)
    said = capsys.readouterr().err
    assert (
        "stanford_products, train: 1 rows of 1 classes; the complete data set has 59,551 rows of 11,318 classes" in said
    )
