"""Prove a file on the host's PyTorch 1.11.

python -m export.host_runtime runs/x/saved_model.pt [--images folder]

Without a file: make the environment where it is missing, and print its interpreter.
"""

import argparse
import sys
from pathlib import Path

RECORD_NAME = "host_runtime.json"


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.host_runtime", description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("model", type=Path, nargs="?", help="runs/<run>/saved_model.pt")
    parser.add_argument("--checkpoint", type=Path, help="what it was made from (default: final.ckpt beside it)")
    parser.add_argument("--images", type=Path, help="a folder of pictures to embed, beside the made ones")
    parser.add_argument("--python", type=Path, help="Python 3.8 to 3.10 to make the environment from")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError, ContractError
    from export.host_environment import NoHostPython, provide_host_python

    try:
        python = provide_host_python(options.python)
        if options.model is None:
            print(python)
            return 0
        return prove(python, options)
    except NoHostPython as error:
        print(f"error: not proven on torch 1.11: {error}", file=sys.stderr)
        return 2
    except (ConfigError, ContractError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, ContractError) else 2


def prove(python: Path, options: argparse.Namespace) -> int:
    """Run the proof, print its summary, leave `host_runtime.json` beside the file (`submission.package` reads it)."""
    from data_prep.errors import ContractError
    from data_prep.files import write_json
    from export.host_proof import MORE_SIZES_PX, model_of, pictures_below, prove_on_host, summary, written_samples
    from export.sample_images import SIZES_PX

    checkpoint = options.checkpoint or options.model.with_name("final.ckpt")
    own = pictures_below(options.images) if options.images else []
    model, model_sha256 = model_of(options.model, checkpoint)
    record_path = options.model.with_name(RECORD_NAME)
    record_path.unlink(missing_ok=True)  # of an earlier proof, should this one not come to its end
    about = {"model": options.model.name, "model_sha256": model_sha256}
    try:
        with written_samples((*SIZES_PX, *MORE_SIZES_PX)) as made:
            proof = prove_on_host(python, options.model, model, [*made, *own])
    except ContractError as error:
        write_json(record_path, {**about, "ok": False, "versions": {}, "pictures": [], "error": str(error)})
        raise
    write_json(record_path, {**about, **proof.to_dict()})
    print("\n".join(summary(proof, checkpoint)))
    print(f"{'passed' if proof.ok else 'FAILED'}; wrote {record_path}")
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
