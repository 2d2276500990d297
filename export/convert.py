"""Export: a checkpoint becomes the file that the host loads, if it passes every check of the host's contract.

python -m export.convert runs/quickstart/final.ckpt [--out runs/quickstart/saved_model.pt]
"""

import argparse
import sys
from pathlib import Path


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.convert", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("checkpoint", type=Path, help="runs/<run>/final.ckpt")
    parser.add_argument("--out", type=Path, help="the file to write (default: saved_model.pt beside the checkpoint)")
    parser.add_argument("--out-dim", type=int, default=64, help="embedding width the contract asks for (default: 64)")
    parser.add_argument(
        "--weights",
        choices=("fp32", "fp16"),
        default="fp32",
        help="how the towers' weights lie in the file; fp16 halves it, the computation stays float32 (default: fp32)",
    )
    parser.add_argument(
        "--allow-over-budget",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="write a file that the host's 9 hours are modelled not to suffice for",
    )
    options = parser.parse_args(arguments)
    if options.out and options.out.is_dir():
        parser.error(f"--out: {options.out} is a folder; give the file, such as {options.out / 'saved_model.pt'}")
    return options


def _provide_host() -> None:
    """The host's own PyTorch, made where a Python for it is found; the export goes on without one."""
    from export.host_environment import NoHostPython, provide_host_python

    try:
        provide_host_python()
    except NoHostPython as reason:
        print(f"the file will not be proven on torch 1.11: {reason}", flush=True)


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError, ContractError

    out_path = options.out or options.checkpoint.with_name("saved_model.pt")
    try:
        from export.gate import export_checked
        from train.concatenation import load_model

        print(f"exporting {options.checkpoint}", flush=True)
        checkpoint = load_model(options.checkpoint)
        _provide_host()
        report = export_checked(checkpoint, out_path, options.out_dim, options.allow_over_budget, options.weights)
    except (ConfigError, ContractError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, ContractError) else 2
    for check in report["checks"]:
        print(f"  {check['verdict']:8} {check['name']}: {check['detail']}")
    print(f"wrote {out_path} and {out_path.with_name('export.json')}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
