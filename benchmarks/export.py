"""The exported file against the eager model with PIL: images/s one at a time, and what new image sizes cost.

python -m benchmarks.export [--quick] [--towers ViT-B-32 vit_small_patch16_224]

Both sides get the same RGB images of ever new sizes and give a unit vector, in turns within one round, so that load on
the machine hits both alike; the ratio is the median over the rounds. The peer is the open_clip or timm tower as it
stands, behind its own preprocessing by PIL; random weights, which cost the same. Where the host's own PyTorch is found
(GUIE_HOST_PYTHON or .venv-host), the file runs there too, in turns with the peer here.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

KINDS = {"ViT-B-32": ("open_clip", 224), "ViT-B-16": ("open_clip", 224), "ViT-L-14": ("open_clip", 224),
         "vit_small_patch16_224": ("timm", 224), "tf_efficientnet_lite0": ("timm", 224)}  # fmt: skip
N_FIRST = 15  # calls of new sizes before the steady state
# Reads heights and widths from its input, writes the seconds of each call; runs in any PyTorch from 1.11 on.
_WORKER = """
import sys, time, torch
torch.set_num_threads(int(sys.argv[2]))
model = torch.jit.load(sys.argv[1], map_location="cpu").eval()
print("ready", torch.__version__, flush=True)
for line in sys.stdin:
    height_px, width_px = map(int, line.split())
    image = torch.randint(0, 256, (1, height_px, width_px, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    start = time.perf_counter()
    with torch.no_grad():
        model(image)[0].flatten().numpy()
    print(time.perf_counter() - start, flush=True)
"""


def exported_and_eager(arch: str, folder: Path) -> tuple[Path, Callable[[int, int], float]]:
    """The file of a tower with a random 64-D head, and the seconds of the eager model with PIL for one size."""
    import numpy as np
    import torch
    from PIL import Image

    from export.torchscript import export_submission
    from train.data.preprocessing import PreprocessSpec, preprocess
    from train.model.backbones import BackboneSpec, build_backbone
    from train.model.embedder import Embedder
    from train.model.image_model import ImageModel

    kind, image_px = KINDS[arch]
    backbone = build_backbone(BackboneSpec(kind, arch, None, image_px))
    embedder = Embedder(backbone, torch.nn.Linear(backbone.width, 64)).eval()
    spec = PreprocessSpec(image_px, backbone.mean, backbone.std)
    path = folder / f"{arch}.pt"
    export_submission(ImageModel([embedder], [spec]), path)
    rng = np.random.default_rng(0)

    def eager_seconds(height_px: int, width_px: int) -> float:
        image = Image.fromarray(rng.integers(0, 256, (height_px, width_px, 3), dtype=np.uint8))
        start = time.perf_counter()
        with torch.no_grad():
            embedder(preprocess(image, spec)[None])[0].numpy()
        return time.perf_counter() - start

    return path, eager_seconds


def sizes_px(n_images: int) -> list[tuple[int, int]]:
    """Height and width of photographs around 0.5 megapixels, no size twice."""
    return [(500 + 11 * number, 1000 - 9 * number) for number in range(n_images)]


def in_turns(file_seconds: Callable, peer_seconds: Callable, n_images: int) -> tuple[list[float], list[float]]:
    """Seconds of each call, the file and the peer on each size one after the other, who is first alternating."""
    ours, peers = [], []
    for number, size in enumerate(sizes_px(n_images)):
        if number % 2:
            ours.append(file_seconds(*size))
        peers.append(peer_seconds(*size))
        if not number % 2:
            ours.append(file_seconds(*size))
    return ours, peers


def measure(arch: str, python: str, path: Path, peer_seconds: Callable, n_images: int) -> str:
    """One line of the table. The rate counts the calls after the first `N_FIRST`."""
    import torch

    worker = FreshProcess(python, path, torch.get_num_threads())
    try:
        ours, peers = in_turns(worker.seconds, peer_seconds, n_images)
    finally:
        worker.close()
    figures = summarise(ours, peers)
    first = ", ".join(f"{calls:.1f}" for calls in figures["first"])
    return (f"| {arch} | {worker.torch_version} | {figures['rate']:.2f} | {figures['peer_rate']:.2f} | "
            f"{figures['ratio']:.2f} | {first} | {figures['extra']:.1f} |")


def summarise(ours: list[float], peers: list[float]) -> dict:
    """Rates and ratio from call `N_FIRST` on; the first calls, and what all `N_FIRST` took beyond, in steady calls.

    Each call is held against the peer's on the same size, right beside it: both met the same load.
    """
    ratio = statistics.median(peer / our for our, peer in zip(ours[N_FIRST:], peers[N_FIRST:]))
    in_steady_calls = [our / peer * ratio for our, peer in zip(ours, peers)]
    return {
        "rate": 1 / statistics.median(ours[N_FIRST:]),
        "peer_rate": 1 / statistics.median(peers[N_FIRST:]),
        "ratio": ratio,
        "first": in_steady_calls[:3],
        "extra": sum(in_steady_calls[:N_FIRST]) - N_FIRST,
    }


class FreshProcess:
    """The file in a process of its own, where nothing is compiled yet; seconds a call."""

    def __init__(self, python: str, path: Path, n_threads: int) -> None:
        self.process = subprocess.Popen([python, "-c", _WORKER, str(path), str(n_threads)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
        self.torch_version = self.process.stdout.readline().split()[1]

    def seconds(self, height_px: int, width_px: int) -> float:
        print(height_px, width_px, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export", allow_abbrev=False, description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--towers", nargs="+", choices=tuple(KINDS), default=["ViT-B-32", "ViT-B-16",
                        "vit_small_patch16_224", "tf_efficientnet_lite0"])  # fmt: skip
    parser.add_argument("--images", type=int, default=60, help="calls a side, each of a new size (default: 60)")
    parser.add_argument("--quick", action="store_true", help="ViT-B-32 alone, 25 images")
    options = parser.parse_args()
    from export.host_runtime import find_host_python

    towers, n_images = (["ViT-B-32"], 25) if options.quick else (options.towers, options.images)
    host = find_host_python()
    print("| tower | torch | file, images/s | eager + PIL, images/s | ratio | calls 1, 2, 3 in steady calls | "
          f"extra in the first {N_FIRST}, in steady calls |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-export-") as folder:
        for arch in towers:
            path, peer_seconds = exported_and_eager(arch, Path(folder))
            for _ in range(3):
                peer_seconds(512, 512)
            for python in (sys.executable, *([str(host)] if host else [])):
                print(measure(arch, python, path, peer_seconds, n_images), flush=True)


if __name__ == "__main__":
    main()
