"""`MODEL_CARD.md`: what a run's model is, how good, made from what, on which terms, and not for what."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from data_prep.errors import ConfigError
from data_prep.files import writing_atomically
from data_prep.manifest import Manifest, load_manifest
from data_prep.sources import SOURCES
from submission.evidence import Evidence
from submission.summary import BASELINE_TITLES

TEMPLATE_PATH = Path(__file__).parent / "model_card_template.md"
CARD_NAME = "MODEL_CARD.md"
_INDEX_IN_WORDS = {"merged": "one index of all domains", "separate": "an index a domain"}
OWN_TERMS = "of whoever brought it"


def write_model_card(evidence: Evidence) -> Path:
    """Write the card beside the model from the records of its run; its path."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE_PATH.read_text(encoding="utf-8"))
    path = evidence.model_path.parent / CARD_NAME
    with writing_atomically(path) as unfinished_path:
        unfinished_path.write_text(template.render(card_values(evidence)).rstrip() + "\n", encoding="utf-8")
    return path


def card_values(evidence: Evidence) -> dict:
    """What the template shows."""
    run_dir, validation, export = evidence.model_path.parent, evidence.validation, evidence.export
    config_path, source = run_dir / "resolved.yaml", validation["image_source"]
    baselines = {key: title for key, title in BASELINE_TITLES.items() if validation["baselines"].get(key)}
    rows = score_rows(validation, tuple(baselines))
    low, high = validation["interval_95"]
    return {
        "name": run_dir.resolve().name,
        "domains": ", ".join(validation["per_domain"]),
        "index": _INDEX_IN_WORDS[validation["index"]],
        "dim": validation["embedding_dim"],
        "n_queries": validation["n_queries"],
        "n_index": validation["n_index"],
        "split": source.get("split") or source["kind"],
        "low": low,
        "high": high,
        "baseline_titles": list(baselines.values()),
        "scores": rows,
        "below": domains_below(validation),
        "checks": export["checks"],
        "config": yaml.safe_load(config_path.read_text(encoding="utf-8")) if config_path.is_file() else None,
        "sources": _sources_of(source),
        "identity": {
            "saved_model.pt": evidence.model_sha256,
            "checkpoint": export["checkpoint_sha256"],
            "shards or table": validation["data_sha256"],
        },
    }


def score_rows(validation: dict, baselines: Sequence[str]) -> list[dict]:
    """A row a domain, the mean of domains last; numbers as shown."""

    def shown(scores: dict | None) -> str:
        return "-" if scores is None else f"{scores['mMP@5']:.3f}"

    rows = []
    for name, scores in validation["per_domain"].items():
        before = [shown(validation["baselines"][key]["per_domain"].get(name)) for key in baselines]
        rows.append({"name": name, "baselines": before, "score": shown(scores), "r_at_1": f"{scores['R@1']:.3f}",
                     "n_queries": scores["n_queries"]})  # fmt: skip
    before = [shown(validation["baselines"][key]) for key in baselines]
    rows.append({"name": "**mean of domains**", "baselines": before, "score": f"**{shown(validation)}**",
                 "r_at_1": f"{validation['R@1']:.3f}", "n_queries": validation["n_queries"]})  # fmt: skip
    return rows


def domains_below(validation: dict) -> list[str]:
    """Domains that the starting tower's own features serve better; an honest card names them."""
    before = (validation["baselines"].get("off_the_shelf") or {}).get("per_domain", {})
    return [
        name for name, scores in validation["per_domain"].items()
        if name in before and scores["mMP@5"] < before[name]["mMP@5"]
    ]


def train_rows(manifest: Manifest) -> list[dict]:
    """A row a source that has train classes: pictures, classes, terms."""
    known = {source["source"] for source in manifest.mixture["sources"] if source["reader"] is None}
    rows: dict[str, dict] = {}
    for entry in manifest.classes:
        if entry.split == "train":
            terms = SOURCES[entry.source].licence if entry.source in known else OWN_TERMS
            row = rows.setdefault(entry.source, {"source": entry.source, "domain": entry.domain, "n_images": 0,
                                                 "n_classes": 0, "terms": terms})  # fmt: skip
            row["n_images"] += entry.n_images
            row["n_classes"] += 1
    return list(rows.values())


def _sources_of(image_source: dict) -> list[dict]:
    """The train sources of the shards that were scored; none where those are gone, or where it was a table."""
    if image_source["kind"] != "shards":
        return []
    try:
        return train_rows(load_manifest(Path(image_source["path"])))
    except (ConfigError, OSError):
        return []
