"""Score the exported file as the host would.

python -m submission.validate runs/quickstart/saved_model.pt --shards shards/quickstart
python -m submission.validate runs/quickstart/saved_model.pt --table images.csv
python -m submission.validate runs/b/saved_model.pt --shards shards/quickstart --compare runs/a
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

REPORT_NAME = "report.html"

if TYPE_CHECKING:
    from submission.baselines import Baselines
    from submission.evaluation_set import EvaluationSet
    from submission.query_scores import ScoredRun
    from submission.report.page import Scored
    from submission.scoring import Scoring


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m submission.validate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("model", type=Path, help="saved_model.pt, or a submission.zip that holds it")
    parser.add_argument("--shards", type=Path, help="packed mixture; with --table: what the PCA baseline is fitted on")
    parser.add_argument("--table", type=Path, help="CSV with path,domain,class_key,role; paths relative to it")
    parser.add_argument("--split", default="test", help="split of the shards that is scored (default: test)")
    parser.add_argument(
        "--out", type=Path, help="default: validation.json beside the model; of val.json the report is val.report.html"
    )
    parser.add_argument("--protocol", choices=("ours", "uned-reference"), default="ours")
    parser.add_argument("--index", choices=("merged", "separate"), default="merged")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--baselines",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also score the tower that training started from (needs final.ckpt beside the model)",
    )
    parser.add_argument(
        "--compare",
        type=Path,
        action="append",
        default=[],
        metavar="RUN",
        help="a run scored on the same data: the report says whether this one is better; may be given again",
    )
    options = parser.parse_args(arguments)
    if options.shards is None and options.table is None:
        parser.error("give --shards, --table, or both")
    if options.out and options.out.suffix != ".json":
        parser.error(f"--out: expected a name that ends in .json, got {options.out}")
    return options


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError, ContractError

    try:
        record, out_path = _validate(options)
    except (ConfigError, ContractError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, ContractError) else 2
    from submission.query_scores import beside
    from submission.summary import print_tables, score_table

    print_tables(score_table(record))
    for name, reason in record["baselines_missing"].items():
        print(f"no baseline {name}: {reason}")
    print(f"wrote {out_path} and {beside(out_path, REPORT_NAME)}")
    print(_write_card(options.model, out_path))
    return 0


def _validate(options: argparse.Namespace) -> tuple[dict, Path]:
    """Embed, score, score the baselines, write the three files; (content of validation.json, its path)."""
    from train.cpu_settings import prepare_cpu

    prepare_cpu()  # before torch is imported
    from export.archive import check_exported
    from submission import evaluation_set, hosted_scorer, scoring
    from submission.comparison import check_same_evaluation
    from submission.query_scores import read_scored_run
    from submission.report.page import Scored

    check_exported(options.model)
    others = [read_scored_run(run) for run in options.compare]
    if options.table:
        evaluation = evaluation_set.read_table(options.table)
    else:
        evaluation = evaluation_set.read_shards(options.shards, options.split)
    how = scoring.Scoring(options.protocol, options.index, _choose_device(options.device))
    record = {
        "format": 2,
        "protocol": how.protocol,
        "index": how.index,
        "metric": scoring.HOST_METRIC,
        "data_sha256": evaluation.data_sha256,
        "images_sha256": evaluation.images_sha256,
        "image_source": evaluation.source,
    }
    for other in others:  # before the long work
        check_same_evaluation(other, "this run", record)
    embeddings = scoring.embed_set(options.model, evaluation, how.device, options.model.name)
    hosted_scorer.check_dimension(embeddings, options.model)
    score, described = scoring.measure_score(embeddings, evaluation, how)
    baselines = _find_baselines(options, evaluation, how)
    record |= {
        **described,
        "baselines": baselines.scores,
        "baselines_missing": baselines.missing,
        "n_queries": score.n_queries,
        "n_index": score.n_index,
        "model_sha256": hosted_scorer.sha256_of_model(options.model),
    }
    out_path = options.out or options.model.with_name("validation.json")
    _write(out_path, options.model.parent, Scored(record, score, evaluation, embeddings), others)
    return record, out_path


def _write(out_path: Path, run_dir: Path, scored: "Scored", others: "list[ScoredRun]") -> None:
    """The scores a query, the report, and last validation.json, which knows the hash of the first."""
    from data_prep.files import write_json
    from submission.comparison import compare_runs
    from submission.query_scores import QUERIES_NAME, ScoredRun, beside, query_table, write_query_scores
    from submission.report.page import write_report

    queries = query_table(scored.score, scored.evaluation.items)
    this_run = ScoredRun(run_dir.resolve().name, scored.record, queries)
    comparisons = [compare_runs(other, this_run) for other in others]
    scored.record["queries_sha256"] = write_query_scores(beside(out_path, QUERIES_NAME), queries)
    write_report(beside(out_path, REPORT_NAME), scored, run_dir, comparisons)
    write_json(out_path, scored.record)


def _write_card(model_path: Path, out_path: Path) -> str:
    """Write the run's card, if this validation is the run's own and its export passed; what became of it, in words."""
    from data_prep.errors import ContractError
    from submission.evidence import MODEL_NAME, check_evidence
    from submission.model_card import write_model_card

    if model_path.name != MODEL_NAME or out_path != model_path.with_name("validation.json"):
        return "no model card: that is for the validation.json of a run"
    try:
        return f"model card: {write_model_card(check_evidence(model_path.parent))}"
    except ContractError as error:
        return f"no model card: {error}"


def _find_baselines(options: argparse.Namespace, evaluation: "EvaluationSet", how: "Scoring") -> "Baselines":
    from submission.baselines import no_baselines, score_baselines

    checkpoint_path = options.model.with_name("final.ckpt")
    if not options.baselines:
        return no_baselines("switched off by --no-baselines")
    if not checkpoint_path.is_file():
        return no_baselines(f"{checkpoint_path} is not there to say which tower training started from")
    # Beside the run folders: runs with other seeds start from the same tower.
    cache_dir = options.model.resolve().parent.parent / ".baselines"
    return score_baselines(checkpoint_path, evaluation, options.shards, how, cache_dir)


def _choose_device(wanted: str) -> str:
    import torch

    from data_prep.errors import ConfigError

    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: PyTorch finds no GPU on this machine; leave --device out, or say cpu")
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
