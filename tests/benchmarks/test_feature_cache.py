from benchmarks.feature_cache import WAYS, compared, config_of, missed_limits, rows_of, run_stage

TINY = {"kind": "tiny", "arch": "conv16", "weights": None}
RUNS = {"tower in every epoch": [(90.0, 100.0, 0.5)], "cached": [(10.0, 12.0, 0.504), (20.0, 13.0, 0.504)]}


def test_the_stage_runs_with_and_without_cache_to_the_same_score(packed_for_benchmarks, tmp_path):
    scores = []
    for way in ("tower in every epoch", "cached"):
        config = config_of(WAYS[way][0], epochs=2, backbone=TINY, image_px=16)
        seconds, cpu_seconds, score = run_stage(config, packed_for_benchmarks, tmp_path)
        assert seconds > 0 and cpu_seconds > 0
        scores.append(score)
    assert abs(scores[0] - scores[1]) < 0.02
    assert len(list(tmp_path.glob("features-*.npy"))) == 2  # train and val, of the cached way alone


def test_times_and_differences_are_those_of_the_means():
    times, difference = compared(RUNS, "cached")
    assert times == 6.0 and round(difference, 6) == 0.004
    assert missed_limits("a tower", RUNS) == ["a tower: 6.0 times as fast, at least 8.0 wanted"]
    assert rows_of("a tower", RUNS)[1] == ["a tower", "cached", "15.0", "12.5", "6.0", "8.0", "0.5040", "+0.0040"]
    worse = RUNS | {"cached": [(1.0, 1.0, 0.49)]}
    assert missed_limits("a tower", worse) == ["a tower: mMP@5 -0.0100, at most 0.005 wanted"]
