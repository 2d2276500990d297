"""Mistakes of a first day: the file beside the right one, a folder for a file, a name for a list. Each is answered by
one line that names the fix, before any work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from data_prep.build import main as build
from data_prep.manifest import Manifest, ShardEntry, save_manifest
from export.budget import main as budget
from export.convert import main as convert
from export.host_proof import model_of
from submission.compare import main as compare
from submission.package import main as package
from submission.upload import main as upload
from submission.validate import main as validate
from train.checkpoint import save_checkpoint
from train.data.preprocessing import PreprocessSpec
from train.evaluate import main as evaluate
from train.fit import main as fit
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head

ROOT = Path(__file__).parent.parent
RUN = "runs/mine"
SHARDS = "shards/small"


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Where the user stands: a finished build with one test shard, and a run with a checkpoint and an exported file."""
    monkeypatch.chdir(tmp_path)
    Path(SHARDS).mkdir(parents=True)
    entry = ShardEntry("test/toys-000000.tar", "test", "toys", "toys", 4, 1, "0" * 64)
    save_manifest(Manifest({}, {}, [], [entry], {}, {}, {}), Path(SHARDS))
    backbone, head = build_backbone(BackboneSpec("tiny", "conv16", None, 16)), {"kind": "linear", "out_dim": 64}
    embedder = Embedder(backbone, build_head(width=backbone.width, **head))
    preprocess = PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3)
    Path(RUN).mkdir(parents=True)
    save_checkpoint(Path(RUN) / "final.ckpt", embedder, head, preprocess, (None, ()), {})
    torch.jit.save(torch.jit.trace(torch.nn.Linear(3, 64), torch.zeros(1, 3)), f"{RUN}/saved_model.pt")


MODEL, CHECKPOINT = f"{RUN}/saved_model.pt", f"{RUN}/final.ckpt"
NO_GPU = pytest.mark.skipif(torch.accelerator.is_available(), reason="this machine has a GPU")
MISTAKES = [
    pytest.param(validate, [RUN, "--shards", SHARDS], f"{RUN}: a folder; the exported file in it would be {MODEL}",
                 id="score a folder"),
    pytest.param(budget, [RUN], f"{RUN}: a folder; the exported file in it would be {MODEL}", id="cost of a folder"),
    pytest.param(budget, [CHECKPOINT], f"{CHECKPOINT}: a checkpoint; python -m export.convert {CHECKPOINT} makes",
                 id="cost of a checkpoint"),
    pytest.param(convert, [MODEL], f"{MODEL}: an exported file; give the checkpoint that it was made from, such as "
                 f"{CHECKPOINT}", id="export twice"),
    pytest.param(convert, [RUN], f"{RUN}: a folder; the checkpoint in it would be {CHECKPOINT}", id="export a folder"),
    pytest.param(convert, [CHECKPOINT, "--out", RUN], f"--out: {RUN} is a folder; give the file, such as {MODEL}",
                 id="export into a folder"),
    pytest.param(validate, [MODEL, "--shards", SHARDS, "--out", RUN], f"ends in .json, got {RUN}",
                 id="the score into a folder"),
    pytest.param(evaluate, [MODEL, "--shards", SHARDS], "an exported file; give the checkpoint",
                 id="evaluate an exported file"),
    pytest.param(validate, [CHECKPOINT, "--shards", SHARDS], f"python -m export.convert {CHECKPOINT} makes",
                 id="score a checkpoint"),
    pytest.param(validate, [MODEL, "--shards", "shards"], f"shards/manifest.json: not there, did you mean {SHARDS}?",
                 id="the folder of all shards"),
    pytest.param(validate, [MODEL, "--shards", "small"], f"small/manifest.json: not there, did you mean {SHARDS}?",
                 id="a mixture's name for its folder"),
    pytest.param(validate, [MODEL, "--shards", SHARDS, "--split", "tets"],
                 f"{SHARDS}: no split 'tets', did you mean 'test'?; known: test", id="a split that is not there"),
    pytest.param(fit, ["quickstart", "tracking=wandb"], "tracking: expected a list, such as [wandb], got 'wandb'",
                 id="one tracker, no list"),
    pytest.param(fit, ["quickstart", "views=[flip]"], "views.0: expected a mapping with some of the keys at, crop, "
                 "flip, image_px, resize; got 'flip'", id="a view by its name"),
    pytest.param(fit, ["quickstart", "accelerator=gpu"], "PyTorch finds no GPU on this machine; accelerator=auto",
                 id="a GPU for training", marks=NO_GPU),
    pytest.param(fit, ["mine"], "configs: no config 'mine', did you mean mine.yaml?; known: ",
                 id="a recipe of one's own without .yaml"),
    pytest.param(build, ["mine"], "mixtures: no mixture 'mine', did you mean mine.yaml?; known: ",
                 id="a mixture of one's own without .yaml"),
    pytest.param(compare, [CHECKPOINT, RUN], f"{CHECKPOINT}: a file of another kind; give the run's folder, {RUN}",
                 id="compare files"),
    pytest.param(package, [MODEL], f"{MODEL}: a file; give the run's folder, {RUN}", id="pack a file"),
    pytest.param(upload, [f"{RUN}/saved_model.pt", "--kernel", "jane/guie-pack"], f"give the run's folder, {RUN}",
                 id="send a file"),
]


@pytest.mark.parametrize(("command", "arguments", "answer"), MISTAKES)
def test_one_line_names_the_fix(command, arguments, answer, capsys, recwarn):
    Path("mine.yaml").write_text(yaml.safe_dump({"name": "mine"}))
    before = sorted(Path().rglob("*"))
    try:
        status = command(arguments)
    except SystemExit as stop:  # argparse's
        status = stop.code
    assert status in (1, 2)
    said = capsys.readouterr().err
    assert answer in said and said.count("error:") == 1 and "Traceback" not in said, said
    assert sorted(Path().rglob("*")) == before and not recwarn.list


@NO_GPU
def test_a_gpu_for_scoring_that_is_not_there():
    from data_prep.errors import ConfigError
    from submission.validate import _choose_device

    with pytest.raises(ConfigError, match="PyTorch finds no GPU on this machine; leave --device out, or say cpu"):
        _choose_device("cuda")


def test_a_checkpoint_is_not_proven_as_an_exported_file():
    from data_prep.errors import ConfigError

    with pytest.raises(ConfigError, match=f"python -m export.convert {CHECKPOINT} makes an exported file"):
        model_of(Path(CHECKPOINT), Path(CHECKPOINT))


@pytest.mark.parametrize(("module", "arguments"), [
    ("data_prep.build", ["quickstart"]), ("train.fit", ["quickstart"]), ("export.convert", ["final.ckpt"]),
    ("submission.validate", ["saved_model.pt", "--table", "x.csv"]),
])
def test_the_python_without_the_packages_is_told_of_the_one_with_them(module, arguments):
    """`-S`: no site-packages, as the system's own python."""
    run = subprocess.run([sys.executable, "-S", "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert "`make setup` installs them into .venv, and `. .venv/bin/activate`" in run.stderr


@pytest.mark.parametrize(("words", "answer"), [
    (["train", "RUN=quickstrat"], "no runs/quickstrat and no train/configs/quickstrat.yaml; RUN"),
    (["submission", "RUN=pocket", "SHARDS=none"], "RUN=pocket needs POCKET=<folder with manifest.csv>"),
    (["upload"], "give KERNEL=owner/name, the Kaggle kernel to make or update"),
])
def test_make_says_it_before_anything_is_installed(words, answer):
    """`-n`: nothing is run, whatever happens."""
    # Without what a make that runs the tests leaves for the makes inside it.
    alone = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    made = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, env=alone)
    assert made.returncode == 2 and answer in made.stderr and made.stdout == ""


def test_make_says_that_a_trained_run_keeps_its_settings(tmp_path):
    for name in ("train", "requirements.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    words = ["make", "-n", "-f", str(ROOT / "Makefile"), "train", f"RUN={Path(RUN).name}", "CONFIG=quickstart"]
    plain, changed = (subprocess.run([*words, *more], cwd=tmp_path, capture_output=True, text=True, check=True)
                      for more in ([], ["SET=seed=1"]))
    assert "note:" not in plain.stdout
    assert "runs/mine is trained already" in changed.stdout and "RUN=name CONFIG=quickstart" in changed.stdout
