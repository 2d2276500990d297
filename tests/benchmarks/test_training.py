import torch

from benchmarks.training import AFTER, measure, measure_share


def test_measures_both_directions_at_a_small_size():
    rates = measure("channels_last", image_px=32, batch=2, repeats=1)
    assert rates["forward"] > 0 and rates["train"] > 0


def test_the_default_setting_is_the_one_measured_after():
    assert AFTER == "channels_last+kept_memory"


def test_measures_training_on_shards(packed_for_benchmarks, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("GOMP_SPINCOUNT", "0")
    monkeypatch.setattr(torch, "set_num_threads", lambda n_threads: None)  # of the other tests
    assert measure_share(packed_for_benchmarks, 1, 0, image_px=32, n_steps=1) > 0
