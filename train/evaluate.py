"""Score a checkpoint as UnED does: every domain by mMP@5, R@1 and mAP@100, index merged and separate.

python -m train.evaluate runs/quickstart/final.ckpt --shards shards/quickstart [--split val] [--protocol uned-reference]
"""

import argparse
import sys
from pathlib import Path


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="final.ckpt or the checkpoint of a stage")
    parser.add_argument("--shards", type=Path, required=True, help="packed mixture")
    parser.add_argument("--split", choices=("val", "test"), default="test")
    parser.add_argument("--protocol", choices=("ours", "uned-reference"), default="ours")
    parser.add_argument("--out", type=Path, help="default: evaluation.json beside the checkpoint")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError

    try:
        from train.cpu_settings import prepare_cpu

        prepare_cpu()  # before torch is imported
        from data_prep.files import write_json

        record = evaluate(options.checkpoint, options.shards, options.split, options.protocol)
        out_path = options.out or options.checkpoint.with_name("evaluation.json")
        write_json(out_path, record)
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(format_table(record))
    print(f"wrote {out_path}")
    return 0


def evaluate(checkpoint_path: Path, shards_dir: Path, split: str, protocol: str) -> dict:
    """What `evaluation.json` says: hashes, the sources that training saw (null: all of its mixture, or none), and for
    `merged` and `separate` index `balanced` (equal-weight mean of the domains), `pooled` (mean of all queries) and
    `per_domain`.

    Raises:
        ConfigError: what the checkpoint, the shards or the protocol complain of.
    """
    from train.concatenation import load_model
    from train.data.embeddings import embed_samples
    from train.data.readers import ShardReader
    from train.retrieval.protocol import INDEX_KINDS, check_items, score_embeddings
    from train.stages.data import items_of
    from train.stages.start import to_device

    loaded = load_model(checkpoint_path)
    reader = ShardReader(shards_dir, split)
    items = items_of(reader.table)
    check_items(items, f"{shards_dir}, split {split}")
    model = loaded.model
    to_device(model, "auto")
    sizes_px = [spec.image_px for spec in model.specs]
    embeddings = embed_samples(model, reader, title="evaluation")
    record = {
        "checkpoint": str(checkpoint_path), "checkpoint_sha256": loaded.sha256,
        "shards": str(shards_dir), "manifest_sha256": reader.manifest.sha256, "split": split, "protocol": protocol,
        "trained_on": sources_of(loaded.meta),
        "image_px": sizes_px[0] if len(sizes_px) == 1 else sizes_px,
        "embedding_dim": int(embeddings.shape[1]),
    }
    for index in INDEX_KINDS:
        score = score_embeddings(embeddings, items, protocol=protocol, index=index)
        record[index] = {"balanced": score.overall, "pooled": score.pooled, "per_domain": score.per_domain}
    return record


def sources_of(meta: dict) -> list[str] | None:
    """The sources that the stages of a checkpoint's run saw, sorted; None where a stage saw the whole mixture."""
    stages = meta.get("config", {}).get("stages") or [{"sources": None}]
    if any(stage["sources"] is None for stage in stages):
        return None
    return sorted({source for stage in stages for source in stage["sources"]})


def format_table(record: dict) -> str:
    """A row a domain and the balanced mean; three metrics for the merged index, three for separate ones."""
    metrics = list(record["merged"]["balanced"])
    domains = list(record["merged"]["per_domain"])
    width = max(len(name) for name in [*domains, "balanced mean"])
    heads = " ".join(f"{metric:>8}" for metric in metrics)
    lines = [f"{'':{width}} {'queries':>8} | {'merged index':^{len(heads)}} | {'separate index':^{len(heads)}}",
             f"{'':{width}} {'':>8} | {heads} | {heads}"]
    for domain in [*domains, None]:
        cells = [record[index]["per_domain"][domain] if domain else record[index]["balanced"]
                 for index in ("merged", "separate")]
        numbers = " | ".join(" ".join(f"{scores[metric]:8.4f}" for metric in metrics) for scores in cells)
        n_queries = cells[0]["n_queries"] if domain else ""
        lines.append(f"{domain or 'balanced mean':{width}} {n_queries:>8} | {numbers}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
