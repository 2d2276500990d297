"""What the CPU settings are worth: forward and training images/s of the quickstart's tower, as ratios in one run.

python -m benchmarks.training [--image-px 128] [--batch 64]

Each line is a fresh process, because allocator and OpenMP settings hold for a whole process. The first line is plain
PyTorch as a peer's script would run it.
"""

import argparse
import json
import subprocess
import sys
import time

VARIANTS = ("plain", "channels_last", "kept_memory", "channels_last+kept_memory")


def measure(variant: str, image_px: int, batch: int, repeats: int = 4) -> dict[str, float]:
    """Images/s forward (no gradient) and for forward + backward, after one warm-up each."""
    if "kept_memory" in variant:
        from data_prep.allocator import keep_freed_memory

        keep_freed_memory()
    import torch

    from train.model.backbones import BackboneSpec, build_backbone

    layout = torch.channels_last if "channels_last" in variant else torch.contiguous_format
    spec = BackboneSpec("timm", "tf_efficientnet_lite0", None, image_px)
    tower = build_backbone(spec).to(memory_format=layout).eval()
    images = torch.randn(batch, 3, image_px, image_px).to(memory_format=layout)

    def forward() -> None:
        with torch.no_grad():
            tower(images)

    def train_step() -> None:
        tower(images).sum().backward()

    return {name: _rate(work, batch, repeats) for name, work in (("forward", forward), ("train", train_step))}


def _rate(work, batch: int, repeats: int) -> float:
    work()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return batch * repeats / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__, allow_abbrev=False)
    parser.add_argument("--image-px", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--variant", choices=VARIANTS, help="measure one variant in this process and print JSON")
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options.variant, options.image_px, options.batch)))
        return
    rates = {}
    for variant in VARIANTS:
        command = [sys.executable, "-m", "benchmarks.training", "--variant", variant,
                   "--image-px", str(options.image_px), "--batch", str(options.batch)]
        rates[variant] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"| {options.image_px} px, batch {options.batch} | forward img/s | ratio | training img/s | ratio |")
    print("|---|---|---|---|---|")
    for variant, rate in rates.items():
        forward, train = (rate[k] / rates["plain"][k] for k in ("forward", "train"))
        print(f"| {variant} | {rate['forward']:.0f} | {forward:.2f} | {rate['train']:.0f} | {train:.2f} |")


if __name__ == "__main__":
    main()
