from benchmarks.sections import peak_mb_of, process_peak_mb, write_section


def test_a_section_is_replaced_and_its_neighbours_stay(tmp_path):
    results = tmp_path / "RESULTS.md"
    results.write_text("# Results\n\n## One\n\na\n\n## Two\n\nold\n\n## Three\n\nc\n", encoding="utf-8")
    for line in ("new", "newer"):
        write_section("Two", "python -m x", [line], results)
    text = results.read_text(encoding="utf-8")
    assert "old" not in text and "new\n" not in text and "`python -m x`, " in text
    assert text.startswith("# Results\n\n## One\n\na\n\n## Two\n\n") and text.endswith("newer\n\n## Three\n\nc\n")
    write_section("Four", "python -m y", ["d"], results)
    assert "## Three\n\nc\n\n## Four\n" in results.read_text(encoding="utf-8")


def test_peak_memory_counts_what_is_freed_again():
    import numpy as np

    assert 70 < peak_mb_of(lambda: np.ones(80_000_000, np.uint8).sum()) < 120
    assert peak_mb_of(lambda: None) < 20
    assert process_peak_mb() > 10
