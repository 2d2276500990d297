"""The proof that a file does on the host what the trained model does here: pictures through both, compared."""

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from data_prep.errors import ConfigError
from data_prep.files import sha256_of_file
from data_prep.progress import progress_bar
from export.archive import check_exported
from export.contract import MIN_COSINE
from export.host_calls import embed_pictures_in_host
from export.sample_images import sample_images
from train.concatenation import load_model
from train.model.image_model import ImageModel

# Width by height, beside `SIZES_PX`: what breaks careless resizing, and a picture of a camera's shape.
MORE_SIZES_PX = ((1, 1), (1, 500), (500, 1), (2, 3), (223, 225), (33, 1500), (1024, 768), (2000, 1500))
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


@dataclass(frozen=True)
class PictureResult:
    """One picture: its size as width by height, the cosine and the largest difference between both embeddings, and
    whether Pillow there saw the same pixels as Pillow here.
    """

    name: str
    size_px: tuple[int, int]
    cosine: float
    max_difference: float
    same_pixels: bool


@dataclass(frozen=True)
class HostProof:
    """`versions` of the host's torch, torchvision, Pillow and Python; `rejects`: pictures that were not compared, as
    name -> reason.
    """

    versions: dict[str, str]
    pictures: tuple[PictureResult, ...]
    rejects: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every cosine is high enough; one of nan is not."""
        return all(picture.cosine >= MIN_COSINE for picture in self.pictures)

    @property
    def worst(self) -> PictureResult:
        """The picture with the lowest cosine, or one without a number."""
        return min(self.pictures, key=lambda picture: picture.cosine if picture.cosine == picture.cosine else -2.0)

    def describe(self) -> str:
        """One line: how many pictures, how far from the model."""
        worst, difference = self.worst, max(picture.max_difference for picture in self.pictures)
        pictures = f"{len(self.pictures)} pictures as the eager model gives them"
        cosine = f"cosine {worst.cosine:.7f} at least ({worst.name}), required {MIN_COSINE}"
        return f"torch {self.versions['torch']}, {pictures}: {cosine}, difference {difference:.1e} at most"

    def to_dict(self) -> dict:
        """Plain values for `host_runtime.json`."""
        return {"ok": self.ok, "cosine_required": MIN_COSINE, **asdict(self)}


def prove_on_host(python: Path, model_path: Path, eager: ImageModel, paths: Sequence[Path]) -> HostProof:
    """Embed picture files by the file in the host's PyTorch and by the model in this one.

    Args:
        python: interpreter with the host's packages.
        model_path: the exported file.
        eager: the model it was made from, in evaluation mode.
        paths: pictures of any size and format that Pillow reads.

    Raises:
        ConfigError: no picture can be read, or the interpreter has no torchvision.
        ContractError: the file does not load or run there.
        ValueError: a model in training mode.
    """
    if eager.training:
        raise ValueError("prove_on_host: the model is in training mode; its batch norm would follow the pictures")
    rejects = {str(path): f"not read here: {reason}" for path in paths if (reason := _unreadable(path))}
    read = [path for path in paths if str(path) not in rejects]
    if not read:
        raise ConfigError(f"no picture to prove the file with: {len(paths)} given, none can be read")
    results = []
    with progress_bar(2 * len(read), "host proof", "picture") as bar:
        there = embed_pictures_in_host(python, model_path, read, bar.update)
        for path, embedding, pixels in zip(read, there.embeddings, there.pixels):
            if embedding is None:
                rejects[str(path)] = f"not read by the host's Pillow: {pixels}"
            else:
                results.append(_compared(path, embedding, pixels, eager))
            bar.update()
    if not results:
        raise ConfigError(f"no picture to prove the file with: the host's Pillow reads none of {len(read)}")
    return HostProof(there.versions, tuple(results), rejects)


@contextmanager
def written_samples(sizes_px: Sequence[tuple[int, int]]) -> Iterator[list[Path]]:
    """The made pictures of these sizes (width, height) as PNG files, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="host-proof-") as folder:
        paths = []
        for image in sample_images(sizes_px=tuple(sizes_px)):
            paths.append(Path(folder) / f"made-{len(paths):02d}-{image.width}x{image.height}.png")
            image.save(paths[-1])
        yield paths


def pictures_below(folder: Path) -> list[Path]:
    """All picture files in a folder and those below it, by name.

    Raises:
        ConfigError: no such folder, or no pictures in it.
    """
    found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    if not found:
        raise ConfigError(f"{folder}: expected a folder with pictures ({', '.join(sorted(_SUFFIXES))}), found none")
    return found


def model_of(model_path: Path, checkpoint: Path) -> tuple[ImageModel, str]:
    """The model a file was made from, in evaluation mode, and the sha256 of the file.

    Raises:
        ConfigError: a file is missing, or `export.json` beside the model says it was made from another checkpoint.
    """
    check_exported(model_path)
    loaded, model_sha256 = load_model(checkpoint), sha256_of_file(model_path)
    report_path = model_path.with_name("export.json")
    report = json.loads(report_path.read_text(encoding="utf-8")) if report_path.is_file() else {}
    made_from = report.get("checkpoint_sha256")
    if report.get("model_sha256") == model_sha256 and made_from and made_from != loaded.sha256:
        raise ConfigError(f"{model_path}: made from checkpoint {made_from[:12]}, but {checkpoint} is "
                          f"{loaded.sha256[:12]}; name its own with --checkpoint, or export again")
    return loaded.model, model_sha256


def summary(proof: HostProof, checkpoint: Path) -> list[str]:
    """The lines printed at the end."""
    versions = ", ".join(f"{name} {version}" for name, version in proof.versions.items())
    sides = [picture.size_px for picture in proof.pictures]
    smallest, largest = (f"{w} x {h}" for w, h in (pick(sides, key=math.prod) for pick in (min, max)))
    cosines = [picture.cosine for picture in proof.pictures]
    other = sum(not picture.same_pixels for picture in proof.pictures)
    lines = [
        f"host:      {versions}",
        f"pictures:  {len(proof.pictures)}, from {smallest} to {largest} pixels",
        f"against:   the eager model of {checkpoint} in torch {torch.__version__}",
        f"cosine:    {proof.worst.cosine:.7f} at least ({proof.worst.name}), {sum(cosines) / len(cosines):.7f} on "
        f"average, required {MIN_COSINE}",
        f"numbers:   differ by {max(picture.max_difference for picture in proof.pictures):.1e} at most",
    ]
    if other:
        lines.append(f"decoding:  {other} pictures have other pixels in the host's Pillow than in this one")
    return lines + [f"rejected:  {name}: {reason}" for name, reason in proof.rejects.items()]


def _unreadable(path: Path) -> str | None:
    """Why Pillow does not read it; None where it does."""
    try:
        with Image.open(path) as image:
            image.convert("RGB")
    except Exception as error:  # PIL and its plugins raise a dozen types for damaged files
        return f"{type(error).__name__}: {error}"
    return None


def _compared(path: Path, embedding: Tensor, pixels: str, eager: ImageModel) -> PictureResult:
    """What the host gave, [D], beside what the model gives here."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    with torch.no_grad():
        sizes_px = torch.tensor([[image.height, image.width]], dtype=torch.float32)
        expected = eager.embed([image], sizes_px).to("cpu", torch.float32).flatten()
    same_pixels = hashlib.sha256(image.tobytes()).hexdigest() == pixels
    if embedding.shape != expected.shape:
        return PictureResult(path.name, image.size, math.nan, math.nan, same_pixels)
    difference = float((embedding - expected).abs().max())
    return PictureResult(path.name, image.size, float(torch.dot(embedding, expected)), difference, same_pixels)
