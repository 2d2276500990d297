"""Average the weights of checkpoints of one model into a soup.

python -m train.average runs/a/final.ckpt runs/b/final.ckpt --out runs/soup/final.ckpt
python -m train.average runs/*/final.ckpt --out runs/soup/final.ckpt --kind greedy --shards shards/quickstart
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from train.checkpoint import LoadedCheckpoint


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.average", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path, help="two or more of the same tower, head and image size")
    parser.add_argument("--out", type=Path, required=True, help="the soup, a checkpoint like any other")
    parser.add_argument("--kind", choices=("uniform", "greedy"), default="uniform",
                        help="greedy: best first, each kept only if it does not lower val mMP@5 (arXiv 2203.05482)")
    parser.add_argument("--shards", type=Path, help="packed mixture whose val split scores the soup")
    options = parser.parse_args(arguments)
    if len(options.checkpoints) < 2:
        parser.error("give two or more checkpoints")
    if options.kind == "greedy" and options.shards is None:
        parser.error("--kind greedy needs --shards")
    return options


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError

    try:
        from train.cpu_settings import prepare_cpu

        prepare_cpu()  # before torch is imported
        chosen, score = make_soup(options.checkpoints, options.out, options.kind, options.shards)
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path in chosen:
        print(f"  in: {path}")
    print(f"wrote {options.out}: {len(chosen)} of {len(options.checkpoints)} checkpoints"
          + ("" if score is None else f", val mMP@5 {score:.4f}"))
    return 0


def make_soup(
    paths: Sequence[Path], out_path: Path, kind: str, shards_dir: Path | None
) -> tuple[list[Path], float | None]:
    """Write the soup; the checkpoints in it and its val mMP@5 (None without shards).

    Centres are averaged where all members have the same classes, and left out otherwise.

    Raises:
        ConfigError: checkpoints of different models.
    """
    import torch

    from train.checkpoint import load_checkpoint, save_checkpoint

    loaded = [load_checkpoint(path) for path in paths]
    _check_same_model(paths, loaded)
    states = [one.embedder.state_dict() for one in loaded]
    score = None if shards_dir is None else _val_scorer(loaded[0], shards_dir)
    members = list(range(len(paths)))
    if kind == "greedy":
        members = pick_greedily(states, lambda state: score(state)["mMP@5"])
    soup = mean_state([states[i] for i in members])
    scores = {} if score is None else score(soup)
    first = loaded[members[0]]
    first.embedder.load_state_dict(soup)
    classes: tuple = (None, ())
    if first.centres is not None and all(loaded[i].class_names == first.class_names for i in members) and all(
        loaded[i].centres is not None and loaded[i].centres.shape == first.centres.shape for i in members
    ):
        classes = (torch.stack([loaded[i].centres for i in members]).mean(dim=0), first.class_names)
    parts = [{"path": str(paths[i]), "sha256": loaded[i].sha256} for i in members]
    meta = first.meta | {"val": {name: round(float(v), 6) for name, v in scores.items()},
                         "soup": {"kind": kind, "members": parts}}
    out_path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(out_path, first.embedder, first.head_spec, first.preprocess, classes, meta)
    return [paths[i] for i in members], scores.get("mMP@5")


def mean_state(states: "Sequence[dict[str, Tensor]]") -> "dict[str, Tensor]":
    """Mean of every floating tensor, taken in float64; the others (counters) are the first state's."""
    import torch

    return {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(value.dtype)
        if value.is_floating_point() else value.clone()
        for name, value in states[0].items()
    }


def pick_greedily(states: "Sequence[dict[str, Tensor]]", score: "Callable[[dict[str, Tensor]], float]") -> list[int]:
    """Positions of the members: best first (ties by position), then each that does not lower the mean's score."""
    own = [score(state) for state in states]
    order = sorted(range(len(states)), key=lambda i: -own[i])
    members, best = order[:1], own[order[0]]
    for candidate in order[1:]:
        now = score(mean_state([states[i] for i in [*members, candidate]]))
        if now >= best:
            members, best = [*members, candidate], now
    return members


def _val_scorer(like: "LoadedCheckpoint", shards_dir: Path) -> "Callable[[dict[str, Tensor]], dict[str, float]]":
    """state -> its scores on the val split; works on a copy of the embedder."""
    import copy

    from train.data.embeddings import embed_samples
    from train.data.readers import ShardReader
    from train.model.image_model import ImageModel
    from train.retrieval.protocol import headline_values, score_embeddings
    from train.stages.data import items_of
    from train.stages.start import to_device

    reader = ShardReader(shards_dir, "val")
    model = ImageModel([copy.deepcopy(like.embedder)], [like.preprocess])
    to_device(model, "auto")

    def score(state: "dict[str, Tensor]") -> dict[str, float]:
        model.embedders[0].load_state_dict(state)
        embeddings = embed_samples(model, reader, title="soup")
        return headline_values(score_embeddings(embeddings, items_of(reader.table)))

    return score


def _check_same_model(paths: Sequence[Path], loaded: "Sequence[LoadedCheckpoint]") -> None:
    from data_prep.errors import ConfigError

    def describe(one: "LoadedCheckpoint") -> dict:
        # Where the weights once came from does not matter, what the tower computes does.
        tower = {k: v for k, v in one.backbone_spec.to_dict().items() if k != "weights"}
        return {"backbone": tower, "head": one.head_spec, "preprocess": one.preprocess.to_dict()}

    first = describe(loaded[0])
    for path, one in zip(paths[1:], loaded[1:]):
        differ = [f"{key} {value} against {first[key]}" for key, value in describe(one).items() if value != first[key]]
        if differ:
            raise ConfigError(f"{path}: another model than {paths[0]}: {'; '.join(differ)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
