"""Send a packed run to Kaggle and submit it; the only writer to Kaggle.

python -m submission.upload runs/quickstart --kernel owner/name [--dry-run]

The model goes up as a private dataset, a private script kernel puts it into submission.zip, the kernel's output is
submitted to the competition, and its score is written beside the local one into scores.csv of the run folder. Stopped
in the middle, the same command goes on. Needs credentials, and the rules accepted on the web page.
"""

import argparse
import sys
from pathlib import Path

COMPETITION = "google-universal-image-embedding"


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m submission.upload",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("run_dir", type=Path, help="runs/<run>, packed by submission.package")
    parser.add_argument("--kernel", required=True, metavar="OWNER/NAME", help="script kernel to make or update")
    parser.add_argument("--dataset", metavar="OWNER/NAME", help="default: the kernel's name with -model")
    parser.add_argument("--competition", default=COMPETITION)
    parser.add_argument("--message", help="default: run name, local score and model hash")
    parser.add_argument("--wait-minutes", type=float, default=30.0, help="for each step on Kaggle (default: 30)")
    parser.add_argument("--score-minutes", type=float, default=600.0, help="for the score (default: 600)")
    parser.add_argument("--again", action="store_true", help="submit a model that is submitted already once more")
    parser.add_argument("--dry-run", action="store_true", help="check everything, print every call, send nothing")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError, ContractError

    try:
        from data_prep.kaggle_client import connect
        from submission.kaggle_steps import Patience, forget_submission, upload
        from submission.upload_plan import Target, plan_upload

        target = Target(options.kernel, options.dataset or f"{options.kernel}-model", options.competition)
        plan = plan_upload(options.run_dir, target, options.message)
        print("\n".join(plan.steps()))
        if options.dry_run:
            print("dry run: nothing was sent")
            return 0
        client = connect()
        if options.again:
            forget_submission(plan)
        upload(plan, client, Patience(options.wait_minutes * 60, options.score_minutes * 60), tell=print)
    except (ConfigError, ContractError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, ContractError) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
