import json

import pytest

from data_prep.files import sha256_of_file
from train.checkpoint import load_checkpoint
from train.data.feature_cache import compute_features
from train.data.readers import ShardReader
from train.evaluate import format_table, main
from train.retrieval.protocol import score_embeddings
from train.stages.data import items_of
from train.stages.runner import Places, run_stages


@pytest.mark.parametrize("protocol", ["ours", "uned-reference"])
def test_the_table_holds_the_protocols_own_numbers(packed, tmp_path, make_config, capsys, protocol):
    final = run_stages(make_config({}), Places(packed, tmp_path), resume=False)
    capsys.readouterr()
    assert main([str(final), "--shards", str(packed), "--protocol", protocol]) == 0
    record = json.loads((tmp_path / "evaluation.json").read_text())
    loaded, reader = load_checkpoint(final), ShardReader(packed, "test")
    embeddings = compute_features(loaded.embedder, reader, loaded.preprocess)
    for index in ("merged", "separate"):
        score = score_embeddings(embeddings, items_of(reader.table), protocol=protocol, index=index)
        assert record[index]["balanced"] == pytest.approx(score.overall)
        assert record[index]["per_domain"]["tiles"] == pytest.approx(score.per_domain["tiles"])
    assert record["checkpoint_sha256"] == sha256_of_file(final) and record["embedding_dim"] == 8
    printed = capsys.readouterr().out
    assert format_table(record) in printed and "evaluation.json" in printed


def test_table_by_hand():
    one = {"mMP@5": 0.5, "R@1": 0.25, "mAP@100": 0.125}
    two = {"mMP@5": 0.75, "R@1": 1.0, "mAP@100": 0.0}
    record = {"merged": {"balanced": one, "per_domain": {"cars": one | {"n_queries": 7}}},
              "separate": {"balanced": two, "per_domain": {"cars": two | {"n_queries": 7}}}}
    assert [line.split() for line in format_table(record).splitlines()[1:]] == [
        ["|", *one, "|", *one],
        ["cars", "7", "|", "0.5000", "0.2500", "0.1250", "|", "0.7500", "1.0000", "0.0000"],
        ["balanced", "mean", "|", "0.5000", "0.2500", "0.1250", "|", "0.7500", "1.0000", "0.0000"],
    ]


def test_a_missing_checkpoint_is_one_line(packed, tmp_path, capsys):
    assert main([str(tmp_path / "none.ckpt"), "--shards", str(packed)]) == 2
    assert "no such checkpoint" in capsys.readouterr().err and not (tmp_path / "evaluation.json").exists()
