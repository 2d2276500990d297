"""python -m export.host_runtime: exit status, summary, and the record it leaves."""

import json

import pytest

from data_prep.files import sha256_of_file
from export import host_proof
from export.host_runtime import main
from export.torchscript import export_submission
from train.checkpoint import load_checkpoint, save_checkpoint
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(host_proof, "MORE_SIZES_PX", ((3, 2),))
    monkeypatch.setattr("export.sample_images.SIZES_PX", ((40, 30),))


@pytest.fixture
def run_dir(tmp_path, tiny_spec):
    head_spec = {"kind": "linear", "out_dim": 64, "dropout": 0.1}
    for name in ("final.ckpt", "other.ckpt"):
        backbone = build_backbone(BackboneSpec("tiny", "conv16", None, 32))
        embedder = Embedder(backbone, build_head(width=backbone.width, **head_spec))
        save_checkpoint(tmp_path / "run" / name, embedder, head_spec, tiny_spec, (None, ()), {})
    export_submission(load_checkpoint(tmp_path / "run" / "final.ckpt").model, tmp_path / "run" / "saved_model.pt")
    return tmp_path / "run"


@pytest.fixture
def _host_is_here(make_python, monkeypatch, probe_in_this_process):
    python = make_python("1.11.0")
    monkeypatch.setenv("GUIE_HOST_PYTHON", str(python))
    return python


def test_a_proof_is_printed_and_recorded_and_a_mismatch_is_status_1(run_dir, _host_is_here, capsys):
    assert main([str(run_dir / "saved_model.pt")]) == 0
    printed = capsys.readouterr().out
    for words in ("host:      torch", "pictures:  2, from 3 x 2 to 40 x 30 pixels", "required 0.9999", "passed; wrote"):
        assert words in printed
    record = json.loads((run_dir / "host_runtime.json").read_text())
    assert record["ok"] is True and record["model_sha256"] == sha256_of_file(run_dir / "saved_model.pt")
    assert main([str(run_dir / "saved_model.pt"), "--checkpoint", str(run_dir / "other.ckpt")]) == 1
    assert "FAILED" in capsys.readouterr().out
    assert json.loads((run_dir / "host_runtime.json").read_text())["ok"] is False


def test_a_file_that_does_not_run_there_is_status_1_and_the_record_says_so(
    run_dir, make_python, monkeypatch, capsys
):
    (run_dir / "host_runtime.json").write_text("{}")
    broken = make_python("1.11.0", otherwise="echo 'RuntimeError: Unknown builtin op: aten::new' >&2; exit 1")
    monkeypatch.setenv("GUIE_HOST_PYTHON", str(broken))
    assert main([str(run_dir / "saved_model.pt")]) == 1
    assert "Unknown builtin op: aten::new" in capsys.readouterr().err
    record = json.loads((run_dir / "host_runtime.json").read_text())
    assert record["ok"] is False and "Unknown builtin op: aten::new" in record["error"]


def test_without_a_file_it_says_where_the_interpreter_is(_host_is_here, capsys):
    assert main([]) == 0
    assert capsys.readouterr().out.strip() == str(_host_is_here)


def test_what_the_user_must_mend_is_status_2(run_dir, monkeypatch, capsys, _host_is_here):
    assert main([str(run_dir / "missing.pt")]) == 2
    assert "missing.pt: no such file; make export" in capsys.readouterr().err
    monkeypatch.setenv("GUIE_HOST_PYTHON", "none")
    assert main([str(run_dir / "saved_model.pt")]) == 2
    assert "error: not proven on torch 1.11: GUIE_HOST_PYTHON is none" in capsys.readouterr().err
