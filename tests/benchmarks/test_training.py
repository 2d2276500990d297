from benchmarks.training import measure


def test_measures_both_directions_at_a_small_size():
    rates = measure("channels_last", image_px=32, batch=2, repeats=1)
    assert rates["forward"] > 0 and rates["train"] > 0
