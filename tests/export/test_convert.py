"""python -m export.convert: from a checkpoint to a checked file."""

import json

import pytest

from export.convert import main
from train.checkpoint import save_checkpoint
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head


@pytest.fixture
def run_dir(tmp_path, tiny_spec):
    def make(out_dim=64):
        head_spec = {"kind": "linear", "out_dim": out_dim, "dropout": 0.1}
        backbone = build_backbone(BackboneSpec("tiny", "conv16", None, 32))
        embedder = Embedder(backbone, build_head(width=backbone.width, **head_spec))
        save_checkpoint(tmp_path / "run" / "final.ckpt", embedder, head_spec, tiny_spec, (None, ()), {})
        return tmp_path / "run"

    return make


def test_writes_the_file_and_prints_every_check(run_dir, capsys):
    folder = run_dir()
    assert main([str(folder / "final.ckpt")]) == 0
    printed = capsys.readouterr().out
    for words in (
        "will not be proven on torch 1.11: GUIE_HOST_PYTHON is none",
        "passed   archive version: 4",
        "passed   parity",
        "not run  host runtime",
        "passed   budget: fits",
    ):
        assert words in printed
    report = json.loads((folder / "export.json").read_text())
    assert len(report["checks"]) == 14 and (folder / report["model"]).is_file()


def test_refuses_and_names_the_check(run_dir, capsys):
    folder = run_dir(out_dim=128)
    assert main([str(folder / "final.ckpt"), "--out", str(folder / "other.pt")]) == 1
    assert "odd sizes: 1 x 1 pixels: got shape (1, 128), expected (1, 64)" in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["final.ckpt"]


def test_bad_input_is_one_line(tmp_path, capsys):
    assert main([str(tmp_path / "missing.ckpt")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    assert main([str(tmp_path / "text.ckpt")]) == 2
    assert "text.ckpt" in capsys.readouterr().err
