"""The exported file against the eager model with PIL: images/s one at a time, and what new image sizes cost.

python -m benchmarks.export [--quick] [--towers ViT-B-32 vit_small_patch16_224]

Both sides get the same RGB images of ever new sizes and give a unit vector, in turns within one round, so that load on
the machine hits both alike; the ratio is the median over the rounds. The peer is the open_clip or timm tower as it
stands, behind its own preprocessing by PIL; random weights, which cost the same. Where the host's own PyTorch is found
(GUIE_HOST_PYTHON or .venv-host), open_clip's shapes run there too: the file against torch.nn's transformer of that
shape, eager in that PyTorch, to which PIL's time here is added.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

KINDS = {"ViT-B-32": ("open_clip", 224), "ViT-B-16": ("open_clip", 224), "ViT-L-14": ("open_clip", 224),
         "vit_small_patch16_224": ("timm", 224), "tf_efficientnet_lite0": ("timm", 224)}  # fmt: skip
# What the host's PyTorch builds the peer from: width, layers, heads, MLP width, patch side.
SHAPES = {"ViT-B-32": (768, 12, 12, 3072, 32), "ViT-B-16": (768, 12, 12, 3072, 16),
          "ViT-L-14": (1024, 24, 16, 4096, 14)}  # fmt: skip
N_FIRST = 15  # calls of new sizes before the steady state
# Reads heights and widths from its input, writes the seconds of each call; runs in any PyTorch from 1.11 on.
# The model is a file, or the numbers of a shape and the image side.
_WORKER = """
import sys, time, torch
from torch import nn
torch.set_num_threads(int(sys.argv[2]))

class Tower(nn.Module):
    def __init__(self, width, n_layers, n_heads, mlp_width, patch_px, image_px):
        super().__init__()
        self.image_px = image_px
        self.patches = nn.Conv2d(3, width, patch_px, stride=patch_px, bias=False)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.zeros(1, (image_px // patch_px) ** 2 + 1, width))
        layer = nn.TransformerEncoderLayer(width, n_heads, mlp_width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.layers, self.head = nn.TransformerEncoder(layer, n_layers), nn.Linear(width, 64)

    def forward(self, image):
        patches = self.patches(torch.zeros(1, 3, self.image_px, self.image_px)).flatten(2).transpose(1, 2)
        tokens = self.layers(self.before(torch.cat([self.token, patches], dim=1) + self.places))
        return nn.functional.normalize(self.head(self.after(tokens[:, 0])))

if sys.argv[1].endswith(".pt"):
    model = torch.jit.load(sys.argv[1], map_location="cpu").eval()
else:
    model = Tower(*map(int, sys.argv[1].split(","))).eval()
print("ready", torch.__version__, flush=True)
for line in sys.stdin:
    height_px, width_px = map(int, line.split())
    image = torch.randint(0, 256, (1, height_px, width_px, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    start = time.perf_counter()
    with torch.no_grad():
        model(image)[0].flatten().numpy()
    print(time.perf_counter() - start, flush=True)
"""


def exported_and_eager(arch: str, folder: Path) -> tuple[Path, Callable, Callable]:
    """The file of a tower with a random 64-D head; the seconds, for a size, of the eager model with PIL and of PIL."""
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

    def timed(work: Callable, height_px: int, width_px: int) -> float:
        image = Image.fromarray(rng.integers(0, 256, (height_px, width_px, 3), dtype=np.uint8))
        start = time.perf_counter()
        with torch.no_grad():
            work(preprocess(image, spec)[None])
        return time.perf_counter() - start

    return path, partial(timed, lambda images: embedder(images)[0].numpy()), partial(timed, lambda images: None)


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


def measure_on_host(arch: str, python: Path, path: Path, pil_seconds: Callable, n_images: int) -> str:
    """One line of the table: both sides in the host's PyTorch."""
    shape = ",".join(map(str, (*SHAPES[arch], KINDS[arch][1])))
    peer = FreshProcess(str(python), shape, 1)
    try:
        return measure(arch, str(python), path, lambda *size: pil_seconds(*size) + peer.seconds(*size), n_images)
    finally:
        peer.close()


def measure(arch: str, python: str, path: Path, peer_seconds: Callable, n_images: int) -> str:
    """One line of the table. The rate counts the calls after the first `N_FIRST`."""
    worker = FreshProcess(python, str(path), 1)
    try:
        for _ in range(3):
            peer_seconds(512, 512)
        ours, peers = in_turns(worker.seconds, peer_seconds, n_images)
    finally:
        worker.close()
    figures = summarise(ours, peers)
    first = ", ".join(f"{calls:.1f}" for calls in figures["first"])
    return (f"| {arch} | {worker.torch_version} | {figures['rate']:.2f} | {figures['peer_rate']:.2f} | "
            f"{figures['ratio']:.2f} | {first} | {figures['new_sizes']:.2f} | {figures['extra']:.1f} |")


def summarise(ours: list[float], peers: list[float]) -> dict:
    """Rates and ratio from call `N_FIRST` on; in steady calls: the first three, the median of the first `N_FIRST`, and
    what all of these took beyond.

    Each call is held against the peer's on the same size, right beside it: both met the same load.
    """
    ratio = statistics.median(peer / our for our, peer in zip(ours[N_FIRST:], peers[N_FIRST:]))
    in_steady_calls = [our / peer * ratio for our, peer in zip(ours, peers)]
    return {
        "rate": 1 / statistics.median(ours[N_FIRST:]),
        "peer_rate": 1 / statistics.median(peers[N_FIRST:]),
        "ratio": ratio,
        "first": in_steady_calls[:3],
        "new_sizes": statistics.median(in_steady_calls[:N_FIRST]),
        "extra": sum(in_steady_calls[:N_FIRST]) - N_FIRST,
    }


class FreshProcess:
    """A file, or the peer of a shape, in a process of its own, where nothing is compiled yet; seconds a call."""

    def __init__(self, python: str, model: str, n_threads: int) -> None:
        self.process = subprocess.Popen([python, "-c", _WORKER, model, str(n_threads)], text=True,
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
    import torch

    from export.host_runtime import find_host_python

    torch.set_num_threads(1)  # both sides: a core each is what a loaded machine can give
    towers, n_images = (["ViT-B-32"], 25) if options.quick else (options.towers, options.images)
    host = find_host_python()
    print("| tower | torch | file, images/s | eager + PIL, images/s | ratio | calls 1, 2, 3 in steady calls | "
          f"median of the first {N_FIRST} | extra in these |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-export-") as folder:
        for arch in towers:
            path, eager_seconds, pil_seconds = exported_and_eager(arch, Path(folder))
            print(measure(arch, sys.executable, path, eager_seconds, n_images), flush=True)
            if host is not None and arch in SHAPES:
                print(measure_on_host(arch, host, path, pil_seconds, n_images), flush=True)


if __name__ == "__main__":
    main()
