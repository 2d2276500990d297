"""The card says what the records of the run say, and names what is not recorded."""

import json

import yaml

from data_prep.manifest import ClassEntry, Manifest
from submission.evidence import check_evidence
from submission.model_card import OWN_TERMS, domains_below, train_rows, write_model_card


def card_of(run_dir):
    return write_model_card(check_evidence(run_dir)).read_text()


def test_scores_checks_and_hashes_are_those_of_the_records(run_dir):
    text = card_of(run_dir)
    assert text.startswith("# sample\n")
    assert "12 queries against 34 pictures" in text and "0.700 to 0.800" in text
    assert "| domain | off the shelf | this model | R@1 | queries |" in text  # the baseline without scores is left out
    assert "| toys | 0.500 | 0.750 | 0.800 | 12 |" in text and "| **mean of domains** | 0.500 | **0.750** |" in text
    assert "| host runtime | not run: no torch 1.11 here |" in text
    assert f"`{check_evidence(run_dir).model_sha256}`" in text and "`" + "c" * 64 + "`" in text
    assert "recipe is not recorded here" in text and "what it was trained on is not recorded here" in text
    assert "Below the tower" not in text
    assert "search over\ntoys.\n\n```python\n" in text and "one index of all domains, through" in text


def test_the_recipe_and_the_terms_of_the_data_are_named(run_dir, shards_dir):
    stage = {"name": "head", "image_px": 128, "epochs": 2.0, "batch_size": 64, "images": None,
             "optimizer": {"kind": "adamw", "lr": 0.003}, "margin": {"kind": "arcface"}}  # fmt: skip
    config = {"seed": 5, "backbone": {"kind": "timm", "arch": "tiny", "weights": None}, "head": {"kind": "linear"},
              "stages": [stage]}  # fmt: skip
    (run_dir / "resolved.yaml").write_text(yaml.safe_dump(config))
    manifest = json.loads((shards_dir / "manifest.json").read_text())
    manifest["mixture"] = {"sources": [{"source": "paint", "reader": "table"}]}
    (shards_dir / "manifest.json").write_text(json.dumps(manifest))
    validation = json.loads((run_dir / "validation.json").read_text())
    validation["image_source"]["path"] = str(shards_dir)
    (run_dir / "validation.json").write_text(json.dumps(validation))
    text = card_of(run_dir)
    assert "Tower `timm:tiny` from `random weights`, head\n`linear`, seed 5." in text
    assert "| head | 128 | 2.0 epochs | 64 | adamw | 0.003 | arcface |" in text
    assert f"| paint | toys | 18 | 3 | {OWN_TERMS} |" in text


def test_a_known_source_has_its_own_terms_and_other_splits_do_not_count():
    sources = [{"source": "food101", "reader": None}, {"source": "met", "reader": "class_folders"}]
    classes = [ClassEntry(0, "food101", "dishes", "1", "train", 5), ClassEntry(1, "food101", "dishes", "2", "train", 7),
               ClassEntry(2, "food101", "dishes", "3", "test", 9), ClassEntry(3, "met", "artwork", "1", "train", 1)]
    rows = train_rows(Manifest({"sources": sources}, {}, classes, [], {}, {}, {}))
    assert [(row["source"], row["n_images"], row["n_classes"]) for row in rows] == [("food101", 12, 2), ("met", 1, 1)]
    assert "research" in rows[0]["terms"].lower() and rows[1]["terms"] == OWN_TERMS


def test_domains_that_lost_are_named():
    validation = {"per_domain": {"cars": {"mMP@5": 0.4}, "toys": {"mMP@5": 0.9}, "art": {"mMP@5": 0.1}},
                  "baselines": {"off_the_shelf": {"per_domain": {"cars": {"mMP@5": 0.5}, "toys": {"mMP@5": 0.5}}}}}
    assert domains_below(validation) == ["cars"]
    assert domains_below(validation | {"baselines": {"off_the_shelf": None}}) == []
