"""Is run b really better than run a? Paired bootstrap over the queries that both were scored on.

python -m submission.compare runs/a runs/b
"""

import argparse
import sys
from pathlib import Path


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m submission.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("a", type=Path, help="a validated run folder, or its validation.json: what b has to beat")
    parser.add_argument("b", type=Path, help="the other one, scored on the same shards")
    parser.add_argument("--out", type=Path, help="default: compare.json beside b's validation.json; .png beside it")
    options = parser.parse_args(arguments)
    if options.out and options.out.suffix != ".json":
        parser.error(f"--out: expected a name that ends in .json, got {options.out}")
    return options


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError
    from data_prep.files import write_json, writing_atomically

    try:
        from submission.comparison import compare_runs, verdict_in_words
        from submission.query_scores import read_scored_run

        first, second = read_scored_run(options.a), read_scored_run(options.b)
        found = compare_runs(first, second)
        out_path = options.out or (options.b.parent if options.b.suffix == ".json" else options.b) / "compare.json"
        from submission.forest_plot import draw_forest

        chart_path = out_path.with_suffix(".png")
        with writing_atomically(chart_path) as unfinished_path:
            unfinished_path.write_bytes(draw_forest(found))
        write_json(out_path, found)
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from submission.summary import difference_table, print_tables

    print_tables(difference_table(found))
    print(verdict_in_words(found["mean"]["mMP@5"], f"a ({first.name})", f"b ({second.name})"))
    print(f"wrote {out_path} and {chart_path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
