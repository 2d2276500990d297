from data_prep.sources.generic import GENERIC_READERS, generic_source, option_problems


def test_good_options_have_no_problems():
    assert set(GENERIC_READERS) == {"class_folders", "table"}
    assert option_problems("table", {"file": "m.csv"}) == []
    assert option_problems("class_folders", {}) == []


def test_problems_come_at_once_and_name_the_known_options():
    problems = option_problems("table", {"pathcolumn": "p", "where": 3})
    assert len(problems) == 3
    assert "option 'file' is required" in problems[0]
    assert "option 'where'" in problems[1] and "got 3" in problems[1]
    assert "unknown option 'pathcolumn'; known: file, path_column, class_column" in problems[2]


def test_a_generic_source_reads_its_folder(tmp_path):
    (tmp_path / "cup").mkdir()
    (tmp_path / "cup" / "a.jpg").touch()
    source = generic_source("mine", "toys", "mine_raw", "class_folders", {})
    assert (source.key, source.domain, source.raw_dir) == ("mine", "toys", "mine_raw")
    assert source.read_rows(tmp_path)["path"].to_list() == ["cup/a.jpg"]
