import json

import pytest

from data_prep.errors import ConfigError
from train.checkpoint import load_checkpoint
from train.evaluate import evaluate, sources_of
from train.evaluate_specialists import combine, format_matrix, main
from train.stages.runner import Places, run_stages

DOMAIN_OF = {"toys": "toys", "cars_a": "cars", "cars_b": "cars"}


def record(sources, scores, protocol="ours"):
    """An evaluation with these mMP@5 on cars and toys."""
    per_domain = {domain: {"mMP@5": s, "R@1": s, "mAP@100": s} for domain, s in zip(("cars", "toys"), scores)}
    mean = sum(scores) / 2
    return {
        "checkpoint": f"{sources}.ckpt", "checkpoint_sha256": "a", "shards": "s", "manifest_sha256": "m",
        "split": "test", "protocol": protocol, "trained_on": sources,
        "merged": {"balanced": {"mMP@5": mean, "R@1": mean, "mAP@100": mean}, "per_domain": per_domain},
    }


def test_the_oracle_is_the_diagonal():
    both = combine([record(["toys"], (0.25, 0.5)), record(["cars_a", "cars_b"], (0.75, 0.125))], DOMAIN_OF)
    assert both["oracle"]["balanced"]["mMP@5"] == (0.75 + 0.5) / 2
    assert both["matrix"]["toys"]["cars"]["mMP@5"] == 0.25 and both["mean"]["cars"]["R@1"] == (0.75 + 0.125) / 2
    assert [line.split() for line in format_matrix(both).splitlines()] == [
        ["trained", "on", "cars", "toys", "mean"], ["toys", "0.2500", "0.5000", "0.3750"],
        ["cars", "0.7500", "0.1250", "0.4375"], ["oracle", "0.7500", "0.5000", "0.6250"],
    ]


def test_the_reference_protocol_rounds_the_mean():
    rows = [record(["toys"], (0.2, 0.333), "uned-reference"), record(["cars_a"], (0.5, 0.1), "uned-reference")]
    assert combine(rows, DOMAIN_OF)["oracle"]["balanced"]["mMP@5"] == 0.416  # 0.4165, to the even digit


@pytest.mark.parametrize("sources, part", [
    ([["toys"], ["toys"]], "is of 'toys' already"), ([["toys"]], "no specialist of cars"),
    ([["toys", "cars_a"]], "one domain; got cars, toys"), ([None], "got the whole mixture"),
])
def test_what_is_no_set_of_specialists_is_an_error(sources, part):
    with pytest.raises(ConfigError, match=part):
        combine([record(one, (0.1, 0.2)) for one in sources], DOMAIN_OF)


def test_two_specialists_from_checkpoints(packed, tmp_path, make_config, capsys):
    finals = [run_stages(make_config({"sources": [name]}), Places(packed, tmp_path / name), resume=False)
              for name in ("disks", "tiles")]
    arguments = [*map(str, finals), "--shards", str(packed), "--out-dir", str(tmp_path / "out")]
    assert main(arguments) == 0 and "oracle" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "specialists.json").read_text())
    alone = evaluate(finals[1], packed, "test", "ours")
    assert found["matrix"]["tiles"] == alone["merged"]["per_domain"]
    assert found["oracle"]["per_domain"]["tiles"] == alone["merged"]["per_domain"]["tiles"]
    assert (tmp_path / "out" / "specialists.png").read_bytes().startswith(b"\x89PNG")
    assert main([str(finals[0]), "--shards", str(packed), "--out-dir", str(tmp_path / "none")]) == 2
    assert "no specialist of tiles" in capsys.readouterr().err and not (tmp_path / "none").exists()


def test_what_a_checkpoint_was_trained_on(packed, tmp_path, make_config):
    stages = ({"sources": ["tiles"]}, {"name": "two", "sources": ["disks"]})
    final = run_stages(make_config(*stages), Places(packed, tmp_path), resume=False)
    assert sources_of(load_checkpoint(final).meta) == ["disks", "tiles"]
    assert sources_of({}) is None and sources_of({"config": {"stages": []}}) is None
