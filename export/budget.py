"""Will the file finish on the host? python -m export.budget runs/quickstart/saved_model.pt

The host: a P100 with 16 GB, 9 hours, about 205,000 images, batches of one, float32. The operators of the file itself
are counted for one photograph and costed by a model of that GPU; where this machine has a GPU, the file is timed on it
besides. The answer always says which it is: measured on a P100, scaled from another GPU, or modelled alone.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from export.gpu_timing import Timing
    from export.kernels import Kernels
    from export.time_model import Gpu

N_IMAGES = 205_000
LIMIT_HOURS = 9.0
LIMIT_GIB = 16.0
# Around the model: decoding, copying, the loop. Low as measured for JPEGs of a megapixel, high with doubt
# about both.
LOW_HARNESS_MS = 15.0
HIGH_FACTOR, HIGH_HARNESS_MS = 1.15, 30.0
PHOTOGRAPH_PX, LARGEST_PX = (768, 1024), (6000, 8000)  # height by width: what time and what memory are counted for
_CONTEXT_GIB = 0.8  # CUDA context and the allocator's slack
_BASES = {
    "measured": "measured on {device}",
    "scaled": "scaled from {device}, never run on a P100",
    "modelled": "modelled, never run on a P100",
}


@dataclass(frozen=True)
class Count:
    """What a file holds and one image costs. `peak_bytes`: activations of the largest image, itself included."""

    kernels: "Kernels"
    n_parameters: int
    weight_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class Budget:
    """The verdict and its numbers, for one image at batch one.

    `verdict`: `fits` (low and high estimate within the limits), `tight` (the low one only), `over`, or
    `unknown` (not timed, and operators without a known cost: `unknown_operators`).
    `basis`: `measured` on a P100, `scaled` from the GPU in `device`, or `modelled`. `model_ms` is the time model's
    answer for a P100 in each case; low and high follow from the best basis there is.
    """

    verdict: str
    reason: str
    basis: str
    device: str
    model_ms: float
    low_hours: float
    high_hours: float
    memory_gib: float
    file_bytes: int
    n_parameters: int
    gflop: float
    moved_gb: float
    activations_gib: float
    n_kernels: int
    unknown_operators: tuple[str, ...]

    def to_dict(self) -> dict:
        """Plain values for `export.json`, with the limits they are held against."""
        limits = {"limit_hours": LIMIT_HOURS, "limit_memory_gib": LIMIT_GIB, "n_images": N_IMAGES}
        return asdict(self) | {"unknown_operators": list(self.unknown_operators)} | limits


def estimate_budget(path: Path, use_gpu: bool = True) -> Budget:
    """Count the file, time it on a GPU where there is one, and judge.

    Raises:
        ConfigError: no such file.
        ContractError: not a TorchScript file.
    """
    from export.gpu_timing import time_on_gpu

    count = count_file(path)
    timing = time_on_gpu(path, count.kernels) if use_gpu else None
    return judge(count, path.stat().st_size, timing)


def count_file(path: Path) -> Count:
    """Load the file and record one call. Raises as `estimate_budget`."""
    import torch

    from data_prep.errors import ContractError
    from export.archive import check_exported

    check_exported(path)
    try:
        return count_model(lambda: torch.jit.load(str(path), map_location="cpu").eval())
    except (RuntimeError, ValueError, torch.jit.Error) as error:
        reason = str(error).strip().splitlines()[0]
        raise ContractError(f"{path}: torch.jit.load does not read it: {reason}") from error


def count_model(load: Callable[[], "nn.Module"]) -> Count:
    """Record one call of a model that takes uint8 [1, 3, H, W]; `load` gives a new one each time.

    On the meta device nothing is computed. A trace that holds tables of its own cannot go there: it has to run.
    """
    import torch

    from export.half_storage import HELD_AS_BUFFER
    from export.kernels import Kernels

    model = load()
    # Traces of one tower share its weights: a storage is counted once.
    trained = {**dict(model.named_parameters()), **{
        name: value for name, value in model.named_buffers() if name.endswith(HELD_AS_BUFFER)}}  # fmt: skip
    weights = {value.untyped_storage()._cdata: value.numel() for value in trained.values()}
    storages = {value.untyped_storage()._cdata: value.untyped_storage().nbytes()
                for value in (*model.parameters(), *model.buffers())}  # fmt: skip
    del trained
    kernels, peak_bytes = Kernels(), 0
    for device in ("meta", "cpu"):
        try:
            kernels, peak_bytes = _record(_emptied(model) if device == "meta" else load(), device)
            break
        except (RuntimeError, NotImplementedError, torch.jit.Error) as error:
            kernels = Kernels(unknown={f"it does not run: {str(error).strip().splitlines()[-1]}"})
    return Count(kernels, sum(weights.values()), sum(storages.values()), peak_bytes)


def _emptied(model: "nn.Module") -> "nn.Module":
    """The model itself on the meta device, where a scripted model's own `to` cannot take it."""
    for part in model.modules():
        for name, value in (*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)):
            if value.device.type != "meta":
                setattr(part, name, value.to("meta"))
    return model


def _record(model: "nn.Module", device: str) -> tuple["Kernels", int]:
    """The kernels of a photograph, and bytes alive at most for the largest image, itself included."""
    import torch

    from export.kernels import record_call

    of_photograph, of_largest = (
        record_call(model, torch.zeros(1, 3, *side_px, dtype=torch.uint8, device=device))
        for side_px in (PHOTOGRAPH_PX, LARGEST_PX)
    )
    return of_photograph, max(of_photograph.peak_bytes, of_largest.peak_bytes + 3 * math.prod(LARGEST_PX))


def judge(count: Count, file_bytes: int, timing: "Timing | None" = None, gpu: "Gpu | None" = None) -> Budget:
    """Hours and memory from the best evidence there is. `gpu`: the one modelled, the host's P100 unless given."""
    from export.time_model import P100, model_seconds

    kernels = count.kernels
    model_ms = 1e3 * model_seconds(kernels, gpu or P100)
    low_ms, high_ms = (timing.low_ms, timing.high_ms) if timing else (model_ms, model_ms * HIGH_FACTOR)
    hours = (_hours(low_ms + LOW_HARNESS_MS), _hours(high_ms + HIGH_HARNESS_MS))
    used_gib = (count.weight_bytes + count.peak_bytes) / 2**30
    memory_gib = max(used_gib, timing.memory_gib if timing else 0.0) + _CONTEXT_GIB
    basis, device = (timing.basis, timing.device) if timing else ("modelled", "")
    uncosted = kernels.unknown if timing is None else set()
    verdict, numbers = _verdict(*hours, memory_gib, uncosted)
    return Budget(
        verdict,
        f"{numbers} ({_BASES[basis].format(device=device)})",
        basis,
        device,
        round(model_ms, 2),
        round(hours[0], 2),
        round(hours[1], 2),
        round(memory_gib, 2),
        file_bytes,
        count.n_parameters,
        round(sum(gemm.flops for gemm in kernels.gemms) / 1e9, 2),
        round((sum(gemm.moved_bytes for gemm in kernels.gemms) + sum(kernels.streams)) / 1e9, 2),
        round(count.peak_bytes / 2**30, 3),
        len(kernels.gemms) + len(kernels.streams),
        tuple(sorted(kernels.unknown)),
    )


def _hours(ms_per_image: float) -> float:
    return ms_per_image * N_IMAGES / 3.6e6


def _verdict(low_hours: float, high_hours: float, memory_gib: float, uncosted: set[str]) -> tuple[str, str]:
    """The verdict and the numbers that explain it."""
    hours = f"{low_hours:.1f} to {high_hours:.1f} h of {LIMIT_HOURS:.0f} h"
    numbers = f"{hours}, {memory_gib:.1f} GiB of {LIMIT_GIB:.0f} GiB"
    if low_hours > LIMIT_HOURS or memory_gib > LIMIT_GIB:
        return "over", numbers
    if uncosted:
        return "unknown", f"no cost known for {', '.join(sorted(uncosted))}; the rest alone: {numbers}"
    return ("fits" if high_hours <= LIMIT_HOURS else "tight"), numbers


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m export.budget", allow_abbrev=False,
                                     description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="runs/<run>/saved_model.pt")
    parser.add_argument("--gpu", action=argparse.BooleanOptionalAction, default=True,
                        help="time the file on this machine's GPU, if it has one (default: yes)")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """0 for fits, tight and unknown, 1 for over and for a file that is none, 2 for a wrong path."""
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError, ContractError

    try:
        budget = estimate_budget(options.model, options.gpu)
    except (ConfigError, ContractError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, ContractError) else 2
    print(json.dumps(budget.to_dict(), indent=2) if options.json else describe(options.model, budget))
    return 1 if budget.verdict == "over" else 0


def describe(path: Path, budget: Budget) -> str:
    """The lines that the command prints; the verdict never stands without where it comes from."""
    return "\n".join((
        f"{path}: {budget.file_bytes / 1e6:.1f} MB, {budget.n_parameters / 1e6:.1f} million parameters",
        f"one image: {budget.gflop:.1f} GFLOP, {budget.moved_gb:.2f} GB moved, {budget.n_kernels} kernels, "
        f"activations {budget.activations_gib:.2f} GiB at most",
        f"P100 by the time model: {budget.model_ms:.1f} ms, around it {LOW_HARNESS_MS:.0f} to {HIGH_HARNESS_MS:.0f} ms",
        f"{budget.verdict}: {N_IMAGES:,} images: {budget.reason}",
    ))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
