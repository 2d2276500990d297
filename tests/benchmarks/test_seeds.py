import pytest

from benchmarks.seeds import main, table_of


def validation(car, toy, images="a"):
    def score(one, other):
        return {"mMP@5": (one + other) / 2, "per_domain": {"cars": {"mMP@5": one}, "toys": {"mMP@5": other}}}

    baselines = {"off_the_shelf": score(0.5, 0.3), "pca_whitened_64": score(0.4, 0.2)}
    return score(car, toy) | {"baselines": baselines, "images_sha256": images}


def test_means_and_ranges_by_hand():
    lines = table_of([validation(0.6, 0.4), validation(0.8, 0.4)])
    assert lines[2] == "| cars | 0.500 | 0.400 | 0.700 | 0.600 .. 0.800 | +0.200 |"
    assert lines[-1] == "| **mean of domains** | 0.400 | 0.300 | 0.550 | 0.500 .. 0.600 | +0.150 |"


def test_runs_on_different_images_are_not_averaged():
    with pytest.raises(SystemExit, match="different images"):
        table_of([validation(0.6, 0.4), validation(0.8, 0.4, images="b")])


def test_a_run_that_is_not_validated_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["seeds", str(tmp_path / "validation.json")])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "no such file; `python -m submission.validate` writes one" in capsys.readouterr().err
