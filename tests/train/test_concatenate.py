import json

import numpy as np
import pytest
import torch

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file
from train.checkpoint import load_checkpoint, save_checkpoint
from train.concatenate import main
from train.concatenation import load_model
from train.data.embeddings import choose_rows, embed_samples
from train.data.preprocessing import PreprocessSpec, View
from train.data.readers import ShardReader
from train.evaluate import main as evaluate
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import build_embedder
from train.retrieval.projection import fit_pca


@pytest.fixture
def two_towers(tmp_path):
    """Different towers, sizes, statistics, heads and views."""
    torch.manual_seed(0)
    paths = []
    for arch, px, mean, head, views in (
        ("conv16", 16, 0.5, {"kind": "linear", "out_dim": 6}, (View(),)),
        ("conv32", 24, 0.4, {"kind": "mlp", "out_dim": 4, "hidden_dim": 8}, (View(), View(flip=True))),
    ):
        embedder = build_embedder(build_backbone(BackboneSpec("tiny", arch, None, px)), head)
        paths.append(tmp_path / f"{arch}.ckpt")
        spec = PreprocessSpec(px, (mean,) * 3, (0.5,) * 3, views=views)
        save_checkpoint(paths[-1], embedder, head, spec, (None, ()), {})
    return paths


def own_embeddings(paths, reader):
    return [embed_samples(load_checkpoint(path).model, reader) for path in paths]


def test_side_by_side_by_hand(two_towers, packed, tmp_path, capsys):
    out = tmp_path / "joined" / "final.ckpt"
    assert main([*map(str, two_towers), "--out", str(out), "--weights", "3", "4", "--shards", str(packed)]) == 0
    assert "2 towers, 10 numbers an image, val mMP@5" in capsys.readouterr().out
    reader, loaded = ShardReader(packed, "val"), load_model(out)
    first, second = own_embeddings(two_towers, reader)
    got = embed_samples(loaded.model, reader)
    assert np.allclose(got, np.concatenate([0.6 * first, 0.8 * second], axis=1), atol=1e-5)
    members = loaded.meta["concatenation"]["members"]
    assert [one["sha256"] for one in members] == [sha256_of_file(path) for path in two_towers]
    assert loaded.sha256 == sha256_of_file(out)
    assert [spec.arch for spec in loaded.backbone_specs] == ["conv16", "conv32"]


def test_pca_of_the_concatenation_is_fit_pca_by_hand(two_towers, packed, tmp_path):
    out = tmp_path / "final.ckpt"
    how = ["--out", str(out), "--shards", str(packed), "--pca", "3", "--images", "20"]
    assert main([*map(str, two_towers), *how]) == 0
    train, val = ShardReader(packed, "train"), ShardReader(packed, "val")
    joined = [np.concatenate(own_embeddings(two_towers, reader), axis=1) / 2**0.5 for reader in (train, val)]
    expected = fit_pca(joined[0][choose_rows(train, 20)], 3, whiten=False).project(joined[1])
    loaded = load_model(out)
    assert np.allclose(embed_samples(loaded.model, val), expected, atol=1e-4)
    assert loaded.meta["concatenation"]["pca"] == {
        "out_dim": 3, "whitening": 0.0, "n_images": 20, "manifest_sha256": train.manifest.sha256}
    assert evaluate([str(out), "--shards", str(packed), "--split", "val"]) == 0
    record = json.loads((tmp_path / "evaluation.json").read_text())
    assert record["image_px"] == [16, 24] and record["embedding_dim"] == 3
    assert record["merged"]["balanced"]["mMP@5"] == pytest.approx(loaded.meta["val"]["mMP@5"], abs=1e-6)


def test_one_tower_gets_its_pca(two_towers, packed, tmp_path):
    out = tmp_path / "short.ckpt"
    assert main([str(two_towers[0]), "--out", str(out), "--shards", str(packed), "--pca", "2"]) == 0
    train, val = ShardReader(packed, "train"), ShardReader(packed, "val")
    wide = [own_embeddings(two_towers[:1], reader)[0] for reader in (train, val)]
    expected = fit_pca(wide[0], 2, whiten=False).project(wide[1])
    assert np.allclose(embed_samples(load_model(out).model, val), expected, atol=1e-4)


def test_what_cannot_be_joined_is_one_line(two_towers, packed, tmp_path, capsys):
    out = tmp_path / "final.ckpt"
    assert main([str(two_towers[0])] * 2 + ["--out", str(out)]) == 2
    assert "the same checkpoint twice" in capsys.readouterr().err
    assert main([*map(str, two_towers), "--out", str(out), "--shards", str(packed), "--pca", "11"]) == 2
    assert "--pca: PCA to 11 dimensions" in capsys.readouterr().err and not out.exists()
    assert main([*map(str, two_towers), "--out", str(out)]) == 0
    assert main([str(out), str(two_towers[0]), "--out", str(tmp_path / "nested.ckpt")]) == 2
    assert "2 towers in one, made by train.concatenate; expected" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="2 towers in one"):
        load_checkpoint(out)


@pytest.mark.parametrize("arguments", [
    ["a", "--out", "c"], ["a", "b", "--out", "c", "--pca", "64"], ["a", "b", "--out", "c", "--weights", "1"],
    ["a", "b", "--out", "c", "--weights", "1", "0"], ["a", "--out", "c", "--shards", "s", "--pca", "0"],
    ["a", "b", "--out", "c", "--whitening", "2"],
])
def test_flags_that_do_not_fit(arguments):
    with pytest.raises(SystemExit):
        main(arguments)
