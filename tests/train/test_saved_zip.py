import torch

from train.saved_zip import inner_names


def test_the_two_kinds_are_told_apart(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "plain.ckpt")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / "script.pt"))
    plain, script = inner_names(tmp_path / "plain.ckpt"), inner_names(tmp_path / "script.pt")
    assert "data.pkl" in plain and "constants.pkl" not in plain
    assert {"data.pkl", "constants.pkl"} <= script


def test_anything_else_holds_nothing(tmp_path):
    (tmp_path / "text").write_text("no zip")
    assert inner_names(tmp_path / "text") == inner_names(tmp_path / "none") == set()
