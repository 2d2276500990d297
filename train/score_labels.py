"""Score how well each picture fits the name of its class, with an image-text tower, for sources with noisy labels.

python -m train.score_labels MIXTURE --raw-root raw --tower ViT-L-14 --weights hub:laion2b_s32b_b82k \\
    --class-names imaterialist_furniture=names.csv

Leaves label_scores.parquet (or what the mixture's label_scores.file says) below the raw root; `data_prep.build` then
keeps, drops or relabels by the mixture's thresholds. Image embeddings are kept, so that another run with other names,
prompts or thresholds takes minutes; an interrupted run goes on where it stopped.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from data_prep.label_scores import LabelScoresConfig
    from data_prep.mixture import MixtureConfig
    from train.model.backbones.open_clip_tower import ImageTextModel

PROMPTS = ("a photo of a {}.", "a picture of a {}.")
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.score_labels", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mixture", help="a name in data_prep/mixtures, or the path of a .yaml file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as image_px=96")
    parser.add_argument("--raw-root", type=Path, default=Path("raw"), help="folder of the raw data sets")
    parser.add_argument("--shards-root", type=Path, default=Path("shards"),
                        help="of the build to come: decode check and image embeddings are kept there, under build/")
    parser.add_argument("--source", action="append", metavar="NAME",
                        help="may come several times; default: the mixture's sources with label_scores")
    parser.add_argument("--class-names", action="append", default=[], metavar="SOURCE=CSV",
                        help="columns class_key and name; default: the class keys themselves")
    parser.add_argument("--tower", required=True, metavar="MODEL", help="open_clip's name, such as ViT-L-14")
    parser.add_argument("--weights", required=True, help="hub:TAG, or file:PATH of a release fetched before")
    parser.add_argument("--released-as", metavar="TAG", help="for a file: which release it is, where they differ")
    parser.add_argument("--prompt", action="append", metavar="TEXT",
                        help=f"with {{}} for the name; several are averaged (default: {' and '.join(PROMPTS)})")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=0, help="processes that decode; 0 (default): one for each CPU")
    options = parser.parse_intermixed_args(arguments)
    options.prompt = options.prompt or list(PROMPTS)
    wrong = [text for text in options.prompt if text.count("{}") != 1 or text.count("{") + text.count("}") != 2]
    if wrong:
        parser.error(f"--prompt {wrong[0]!r}: expected exactly one {{}} and no other braces")
    if any("=" not in entry for entry in options.class_names):
        parser.error("--class-names: expected SOURCE=CSV")
    if options.batch_size < 1 or options.workers < 0:
        parser.error("--batch-size must be at least 1 and --workers at least 0")
    return options


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError
    from data_prep.workers import WorkerDied

    try:
        from train.cpu_settings import prepare_cpu

        prepare_cpu()  # before torch is imported
        from data_prep.mixture import load_mixture

        paths = score_labels(load_mixture(options.mixture, options.overrides), options)
    except (ConfigError, WorkerDied, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    for path in paths:
        print(f"wrote {path}")
    return 0


def score_labels(config: "MixtureConfig", options: argparse.Namespace) -> list[Path]:
    """Score the chosen sources and write a file for each `label_scores.file`; their paths.

    Raises:
        ConfigError: wrong sources, names, tower or raw data.
    """
    import polars as pl

    from data_prep.label_scores import save_scores
    from train.model.backbones.open_clip_tower import build_image_text
    from train.stages.start import to_device

    rules = chosen_rules(config, options.source)
    rows_by_source = read_rows(config, tuple(rules), options)
    names = names_of(rows_by_source, options.class_names)
    model = build_image_text(options.tower, options.weights, options.released_as)
    to_device(model.clip, "auto")
    scored: dict[str, list[pl.DataFrame]] = {}
    for source, rows in rows_by_source.items():
        embeddings = embed(rows, model, config, options)
        scores = score_source(rows, embeddings, model.embed_names(names[source], options.prompt).cpu().numpy())
        print(describe(source, scores, rules[source]))
        scored.setdefault(_file_of(rules[source]), []).append(_decided(scores, rules[source]))
    made_by = {"tower": options.tower, "weights": options.weights, "weights_sha256": model.weights_sha256,
               "prompts": "\n".join(options.prompt)}
    for file, tables in scored.items():
        save_scores(pl.concat(tables), options.raw_root / file, made_by)
    return [options.raw_root / file for file in scored]


def chosen_rules(config: "MixtureConfig", wanted: list[str] | None) -> dict[str, "LabelScoresConfig | None"]:
    """Source -> its thresholds, None where the mixture has none yet.

    Raises:
        ConfigError: no source to score, an unknown one, or one of several that share a file of scores.
    """
    from data_prep.errors import ConfigError, unknown_name

    rules = {source.source: source.label_scores for source in config.sources}
    for name in wanted or ():
        if name not in rules:
            raise unknown_name("source", name, rules, f"mixture {config.name}")
    chosen = {name: rule for name, rule in rules.items() if (name in wanted if wanted else rule is not None)}
    if not chosen:
        raise ConfigError(f"mixture {config.name}: no source has label_scores; say which to score with --source")
    files = {_file_of(rule) for rule in chosen.values()}
    left_out = [name for name, rule in rules.items() if rule is not None and rule.file in files and name not in chosen]
    if left_out:
        raise ConfigError(f"mixture {config.name}: {', '.join(left_out)} would lose the scores in the same file; "
                          "score them together, or give one of them another label_scores.file")
    return chosen


def _file_of(rule: "LabelScoresConfig | None") -> str:
    from data_prep.label_scores import LabelScoresConfig

    return rule.file if rule is not None else LabelScoresConfig.model_fields["file"].default


def read_rows(
    config: "MixtureConfig", sources: tuple[str, ...], options: argparse.Namespace
) -> dict[str, "pl.DataFrame"]:
    """Source -> the catalogue rows that a build will ask about: readable, outside official val and test."""
    import polars as pl

    from data_prep.decode_check import check_images
    from data_prep.errors import ConfigError
    from data_prep.label_scores import SCORED_ROWS
    from data_prep.scan import scan_sources

    part = config.model_copy(update={"sources": tuple(s for s in config.sources if s.source in sources)})
    checked_dir = options.shards_root / config.name / "build" / "checked"
    catalogue = check_images(
        scan_sources(part, options.raw_root), options.raw_root, checked_dir, options.workers, config.image_px)
    rows = {source: catalogue.filter(SCORED_ROWS, pl.col("source") == source) for source in sources}
    empty = [source for source, table in rows.items() if table.is_empty()]
    if empty:
        raise ConfigError(f"{', '.join(empty)}: no readable picture outside official val and test")
    return rows


def names_of(rows_by_source: dict[str, "pl.DataFrame"], given: list[str]) -> dict[str, list[str]]:
    """Source -> names of its sorted class keys."""
    from data_prep.errors import unknown_name
    from train.class_names import class_names

    csv_by_source = {source: Path(path) for source, _, path in (entry.partition("=") for entry in given)}
    for source in csv_by_source:
        if source not in rows_by_source:
            raise unknown_name("source to score", source, rows_by_source, "--class-names")
    return {source: class_names(source, rows["class_key"].unique().sort().to_list(), csv_by_source.get(source))
            for source, rows in rows_by_source.items()}


def embed(rows: "pl.DataFrame", model: "ImageTextModel", config: "MixtureConfig", options: argparse.Namespace):
    """float32 [N, D] unit embeddings of the rows' pictures, kept beside the decode check of the build to come."""
    from data_prep.encoded_ahead import ImageSettings, picture_key
    from train.data.picture_embeddings import RawPictures, cached_embeddings

    packing = ImageSettings(config.image_px, config.jpeg_quality, config.exif_orientation == "apply")
    pictures = RawPictures(options.raw_root, rows["path"].to_list(), packing, model.preprocess, options.batch_size)
    keys = [picture_key(sha256, path) for sha256, path in rows.select("sha256", "path").iter_rows()]
    identity = {"tower": options.tower, "weights": model.weights_sha256, "pictures": keys}
    cache_dir = options.shards_root / config.name / "build" / "label_embeddings"
    return cached_embeddings(pictures, (model.embed_images, model.width), identity, cache_dir, options.workers)


def score_source(rows: "pl.DataFrame", embeddings: "NDArray", names: "NDArray") -> "pl.DataFrame":
    """The rows with score, best_class_key and best_score, from embeddings [N, D] of pictures and [C, D] of names."""
    import numpy as np

    from train.retrieval.class_scores import score_classes

    keys, own_rows = np.unique(rows["class_key"].to_numpy(), return_inverse=True)
    score, best_rows, best_score = score_classes(embeddings, names, own_rows)
    return rows.select("source", "path", "sha256", "class_key").with_columns(
        score=score, best_class_key=keys[best_rows].astype(str), best_score=best_score)


def _decided(scores: "pl.DataFrame", rule: "LabelScoresConfig | None") -> "pl.DataFrame":
    import polars as pl

    from data_prep.label_scores import decide

    return scores.with_columns(decision=pl.lit(None, dtype=pl.String) if rule is None else decide(rule))


def describe(source: str, scores: "pl.DataFrame", rule: "LabelScoresConfig | None") -> str:
    """What a person needs to choose thresholds: how the scores spread, and what the thresholds there are do."""
    agree = (scores["class_key"] == scores["best_class_key"]).mean()
    spread = "  ".join(f"{share:.0%} {scores['score'].quantile(share, 'linear'):.3f}" for share in QUANTILES)
    lines = [f"{source}: {scores.height:,} pictures, {scores['class_key'].n_unique():,} classes; "
             f"own name fits best for {agree:.1%}", f"  quantiles of the score: {spread}"]
    if rule is None:
        lines.append("  no thresholds yet: label_scores of the mixture holds them")
    else:
        counts = dict(_decided(scores, rule)["decision"].value_counts().iter_rows())
        lines.append(f"  drop_below {rule.drop_below}, relabel_above {rule.relabel_above}: "
                     + ", ".join(f"{name} {counts.get(name, 0):,}" for name in ("keep", "drop", "relabel")))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
