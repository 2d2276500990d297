from benchmarks.result_section import table, write_section


def test_a_section_takes_the_place_of_the_one_before(tmp_path):
    path = tmp_path / "RESULTS.md"
    path.write_text("# Results\n\n## One\n\nold\nlines\n\n## Two\n\nkept\n", encoding="utf-8")
    write_section("One", "new\n", path)
    write_section("Three", "added", path)
    write_section("Two", "changed", path)
    assert path.read_text() == "# Results\n\n## One\n\nnew\n\n## Two\n\nchanged\n\n## Three\n\nadded\n"


def test_a_table():
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
