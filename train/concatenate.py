"""Join checkpoints of several towers into one whose embedding is their unit embeddings side by side, then PCA.

python -m train.concatenate runs/h/final.ckpt runs/l/final.ckpt --out runs/hl/final.ckpt --shards shards/x --pca 64
python -m train.concatenate runs/soup/final.ckpt --out runs/short/final.ckpt --shards shards/x --pca 64
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from train.model.image_model import ImageModel


@dataclass(frozen=True)
class Pca:
    """`out_dim` axes, `whitening` 0 ... 1, fitted on at most `n_images` train images."""

    out_dim: int
    whitening: float
    n_images: int


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.concatenate", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path, help="each of one tower, with its own size and views")
    parser.add_argument("--out", type=Path, required=True, help="a checkpoint for train.evaluate and export.convert")
    parser.add_argument("--shards", type=Path, help="packed mixture: its train split fits the PCA, val is scored")
    parser.add_argument("--pca", type=int, metavar="DIM", help="numbers to keep (default: all; the host takes 64)")
    parser.add_argument("--whitening", type=float, default=0.0, help="0 plain PCA (default) ... 1 whitened")
    parser.add_argument("--images", type=int, default=20_000, help="train images for the PCA (default: 20000)")
    parser.add_argument("--weights", type=float, nargs="+", help="one a checkpoint (default: all alike)")
    options = parser.parse_args(arguments)
    if options.pca is not None and options.shards is None:
        parser.error("--pca is fitted on train images: give --shards")
    if options.pca is None and len(options.checkpoints) < 2:
        parser.error("give two or more checkpoints, or --pca")
    if options.weights is not None and (len(options.weights) != len(options.checkpoints) or min(options.weights) <= 0):
        parser.error(f"--weights: expected {len(options.checkpoints)} positive numbers, one a checkpoint")
    if min(options.images, 1 if options.pca is None else options.pca) < 1 or not 0 <= options.whitening <= 1:
        parser.error("--pca and --images must be at least 1, --whitening 0 to 1")
    return options


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError

    try:
        from train.cpu_settings import prepare_cpu

        prepare_cpu()  # before torch is imported
        pca = None if options.pca is None else Pca(options.pca, options.whitening, options.images)
        out_dim, score = concatenate(options.checkpoints, options.weights, pca, options.shards, options.out)
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {options.out}: {len(options.checkpoints)} towers, {out_dim} numbers an image"
          + ("" if score is None else f", val mMP@5 {score:.4f}"))
    return 0


def concatenate(
    paths: Sequence[Path], weights: Sequence[float] | None, pca: Pca | None, shards_dir: Path | None, out_path: Path
) -> tuple[int, float | None]:
    """Write the joined checkpoint; width of its embedding and val mMP@5 (None without shards).

    Source: 4th place of GUIEC joined 512 numbers each of ViT-H/14 and ViT-L/14 and kept 64 by PCA.

    Raises:
        ConfigError: a checkpoint given twice or of several towers; a PCA to more axes than the embeddings span.
    """
    from data_prep.errors import ConfigError
    from train.checkpoint import load_checkpoint
    from train.concatenation import save_concatenation
    from train.model.image_model import ImageModel
    from train.stages.start import to_device

    loaded = [load_checkpoint(path) for path in paths]
    if len({one.sha256 for one in loaded}) < len(loaded):
        raise ConfigError(f"{', '.join(map(str, paths))}: the same checkpoint twice; its weight says the same cheaper")
    given = list(weights or [1.0] * len(loaded))
    # Squares that sum to 1 make the concatenation of unit embeddings unit length itself.
    normalised = [weight / sum(w * w for w in given) ** 0.5 for weight in given]
    model = ImageModel([one.embedder for one in loaded], [one.preprocess for one in loaded], normalised)
    to_device(model, "auto")
    about: dict = {"members": [{"path": str(path), "sha256": one.sha256} for path, one in zip(paths, loaded)]}
    if pca is not None:
        model.projection, about["pca"] = _fit(model, pca, shards_dir)
        to_device(model, "auto")
    scores = {} if shards_dir is None else _score(model, shards_dir)
    out_path.parent.mkdir(parents=True, exist_ok=True)
    meta = {"concatenation": about, "val": scores}
    save_concatenation(out_path, loaded, normalised, model.projection, meta)
    width = sum(_out_dim(one.head_spec) for one in loaded)
    return (width if pca is None else pca.out_dim), scores.get("mMP@5")


def _out_dim(head_spec: dict) -> int:
    return head_spec.get("projection", head_spec)["out_dim"]


def _fit(model: "ImageModel", pca: Pca, shards_dir: Path) -> "tuple[nn.Linear, dict]":
    """The projection layer and what the checkpoint says of it."""
    from data_prep.errors import ConfigError
    from train.data.embeddings import choose_rows, embed_samples
    from train.data.readers import ShardReader
    from train.model.image_model import projection_layer
    from train.retrieval.projection import fit_partly_whitened

    reader = ShardReader(shards_dir, "train")
    rows = choose_rows(reader, pca.n_images)
    try:
        fitted = fit_partly_whitened(embed_samples(model, reader, rows, title="PCA"), pca.out_dim, pca.whitening)
    except ValueError as error:
        raise ConfigError(f"--pca: {error}") from error
    about = {"out_dim": pca.out_dim, "whitening": pca.whitening, "n_images": len(rows),
             "manifest_sha256": reader.manifest.sha256}
    return projection_layer(fitted), about


def _score(model: "ImageModel", shards_dir: Path) -> dict[str, float]:
    from train.data.embeddings import embed_samples
    from train.data.readers import ShardReader
    from train.retrieval.protocol import headline_values, score_embeddings
    from train.stages.data import items_of

    reader = ShardReader(shards_dir, "val")
    values = headline_values(score_embeddings(embed_samples(model, reader, title="validation"), items_of(reader.table)))
    return {name: round(float(value), 6) for name, value in values.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
