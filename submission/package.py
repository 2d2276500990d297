"""Zip a model that has passed every check, and write its card.

python -m submission.package runs/quickstart
"""

import argparse
import sys
from pathlib import Path


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m submission.package", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("run_dir", type=Path, help="runs/<run>, with saved_model.pt, export.json, validation.json")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError, ContractError

    try:
        from submission.evidence import ZIP_NAME, check_evidence
        from submission.model_card import write_model_card
        from submission.submission_zip import write_checked_zip

        evidence = check_evidence(options.run_dir)
        zip_path = options.run_dir / ZIP_NAME
        card_path = write_model_card(evidence)
        write_checked_zip(evidence.model_path, zip_path)
    except (ConfigError, ContractError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, ContractError) else 2
    from submission.summary import print_tables, score_table, verdict_table

    print_tables(score_table(evidence.validation), verdict_table(evidence.export, str(zip_path)))
    print(f"model card: {card_path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
