import pytest
import torch

from train.average import main, mean_state, pick_greedily
from train.checkpoint import load_checkpoint
from train.stages.runner import Places, run_stages


def states(*values):
    return [{"w": torch.tensor([float(v)]), "n": torch.tensor(i)} for i, v in enumerate(values)]


def test_mean_of_floats_and_the_first_counter():
    mean = mean_state(states(1, 2, 6))
    assert mean["w"].item() == 3.0 and mean["w"].dtype == torch.float32 and mean["n"].item() == 0


def test_greedy_by_hand():
    # Score: nearness to 4. Own scores: -3 (1), -1 (5), -2 (6), -2 (2). Best first: 5, 6, 2, 1.
    # 5 alone -1; with 6: mean 5.5, -1.5, refused; with 2: 3.5, -0.5, kept; with 1: (5 + 2 + 1) / 3, -1.33, refused.
    assert pick_greedily(states(1, 5, 6, 2), lambda state: -abs(state["w"].item() - 4)) == [1, 3]
    assert pick_greedily(states(4, 4), lambda state: 1.0) == [0, 1]  # no loss is enough


@pytest.fixture
def two_runs(packed, tmp_path, make_config):
    return [run_stages(make_config({}, seed=seed), Places(packed, tmp_path / str(seed)), False) for seed in (0, 1)]


def test_uniform_soup_is_the_mean_and_loads_like_any_checkpoint(two_runs, tmp_path, capsys):
    out = tmp_path / "soup" / "final.ckpt"
    assert main([*map(str, two_runs), "--out", str(out)]) == 0
    soup, *parts = (load_checkpoint(path) for path in (out, *two_runs))
    name = "backbone.tower.0.weight"
    expected = (parts[0].embedder.state_dict()[name] + parts[1].embedder.state_dict()[name]) / 2
    assert torch.allclose(soup.embedder.state_dict()[name], expected, atol=1e-7)
    assert torch.allclose(soup.centres, (parts[0].centres + parts[1].centres) / 2, atol=1e-7)
    assert [m["sha256"] for m in soup.meta["soup"]["members"]] == [p.sha256 for p in parts] and soup.meta["val"] == {}


def test_greedy_soup_is_never_below_its_best_member(two_runs, packed, tmp_path, capsys):
    out = tmp_path / "soup.ckpt"
    assert main([*map(str, two_runs), "--out", str(out), "--kind", "greedy", "--shards", str(packed)]) == 0
    best = max(load_checkpoint(path).meta["val"]["mMP@5"] for path in two_runs)
    assert load_checkpoint(out).meta["val"]["mMP@5"] >= best - 1e-6
    assert "val mMP@5" in capsys.readouterr().out


def test_other_models_are_named(two_runs, packed, tmp_path, make_config, capsys):
    head = {"kind": "linear", "out_dim": 4}
    other = run_stages(make_config({}, head=head), Places(packed, tmp_path / "other"), resume=False)
    assert main([str(two_runs[0]), str(other), "--out", str(tmp_path / "soup.ckpt")]) == 2
    assert "another model" in (error := capsys.readouterr().err) and "head" in error
    assert not (tmp_path / "soup.ckpt").exists()


def test_greedy_needs_shards_and_a_soup_needs_two():
    for arguments in (["a", "b", "--out", "c", "--kind", "greedy"], ["a", "--out", "c"]):
        with pytest.raises(SystemExit):
            main(arguments)
