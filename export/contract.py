"""The host's rules for `saved_model.pt`, each a check that says what it found.

uint8 [1, 3, H, W] of any size -> float32 [1, 64], finite, unit length; loads in the host's PyTorch 1.11. The
calling sequence is the host's: load, evaluation mode, batch of one, no gradients, element [0], flatten.
"""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from data_prep.errors import ContractError
from export.archive import archive_version, check_exported, device_tags
from export.host_calls import embed_in_host
from export.host_environment import HOST_TORCH, VARIABLE, find_host_python

HOST_MAX_VERSION = 9
MIN_COSINE = 0.9999
# Two thirds of the host's 16 GB card: the weights must leave room for activations and the CUDA context.
MAX_BYTES = 10_000_000_000
# Height by width. 224 x 224 needs no resize in most models; the thin ones are what breaks careless resizing.
ODD_SIZES_PX = ((1, 1), (1, 500), (500, 1), (224, 224), (225, 223), (1200, 1600))
# What torch raises for a file it cannot read or run; errors inside TorchScript are a class of their own.
_TORCH_ERRORS = (RuntimeError, NotImplementedError, ValueError, torch.jit.Error)
_OPERATORS_FILE = Path(__file__).parent / "operators_torch_1_11.txt"
_AFTER_RUNNING = ("tells images apart", "determinism", "fresh load", "host runtime")
_REPEATED = 4  # which of the odd sizes is embedded again; small, and resized along both axes
_UNIT_TOLERANCE = 1e-4
_SAME_TOLERANCE = 1e-6
_SMALLEST_DIFFERENCE = 1e-5


@dataclass(frozen=True)
class CheckResult:
    """`ok`: True passed, False failed, None not run (`detail` says why)."""

    name: str
    ok: bool | None
    detail: str

    @property
    def verdict(self) -> str:
        """'passed', 'failed' or 'not run'."""
        return {True: "passed", False: "failed", None: "not run"}[self.ok]


def check_contract(path: Path, out_dim: int = 64) -> list[CheckResult]:
    """Check the file in every way this machine can; a broken file gives failed checks, not an exception.

    Raises:
        ConfigError: no such file; GUIE_HOST_PYTHON names a wrong interpreter.
    """
    path = Path(path)
    check_exported(path)
    host_python = find_host_python()
    results = [
        _checked("archive version", lambda: _check_version(path)),
        _checked("device tag", lambda: _check_device_tag(path)),
        _checked("no fixed device", lambda: _check_fixed_device(path)),
        _checked("file size", lambda: _check_size(path)),
    ]
    try:
        model = _load(path)
    except _TORCH_ERRORS as error:
        broken = CheckResult("loads", False, _first_line(error))
        return [*results, broken, *_not_run(("operators", "no gradients", "odd sizes", *_AFTER_RUNNING))]
    return [
        *results,
        CheckResult("loads", True, f"in torch {torch.__version__}, onto the CPU"),
        _checked("operators", lambda: check_operators(torch.jit.export_opnames(model))),
        _checked("no gradients", lambda: _check_gradients(model)),
        *_check_running(path, model, out_dim, host_python),
    ]


def _check_running(
    path: Path, model: torch.jit.ScriptModule, out_dim: int, host_python: Path | None
) -> list[CheckResult]:
    """The checks that compare embeddings, each odd size computed once."""
    images = probe_images()
    try:
        embeddings = [_embed(model, image) for image in images]
    except _TORCH_ERRORS as error:
        return [CheckResult("odd sizes", False, _first_line(error)), *_not_run(_AFTER_RUNNING)]
    image, first = images[_REPEATED], embeddings[_REPEATED]
    return [
        _checked("odd sizes", lambda: check_embeddings(embeddings, out_dim)),
        _checked("tells images apart", lambda: _check_spread(embeddings)),
        _checked("determinism", lambda: _check_same(_embed(model, image), first)),
        _checked("fresh load", lambda: _check_same(_embed(_load(path), image), first)),
        _checked("host runtime", lambda: _check_host(host_python, path, images, embeddings)),
    ]


def probe_images() -> list[Tensor]:
    """One uint8 [3, H, W] of noise an odd size, the same everywhere; channels last in memory, as PIL's."""
    generator = torch.Generator().manual_seed(20220711)
    noise = [torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=generator) for size in ODD_SIZES_PX]
    return [image.permute(2, 0, 1) for image in noise]


def check_operators(names: list[str]) -> tuple[bool, str]:
    """Whether torch 1.11 knows every operator (name and overload) of the model."""
    known = set(_OPERATORS_FILE.read_text(encoding="utf-8").split())
    unknown = sorted(set(names) - known)
    if unknown:
        return False, f"torch {HOST_TORCH} does not know {', '.join(unknown)}"
    return True, f"all {len(set(names))} are among the {len(known)} of torch {HOST_TORCH}"


def check_embeddings(embeddings: list[Tensor], out_dim: int) -> tuple[bool, str]:
    """Type, shape, finiteness and length of what the model gave for each odd size: [1, D] each."""
    for (height_px, width_px), embedding in zip(ODD_SIZES_PX, embeddings):
        where = f"{height_px} x {width_px} pixels"
        if not isinstance(embedding, Tensor) or embedding.dtype != torch.float32:
            return (
                False,
                f"{where}: got {getattr(embedding, 'dtype', type(embedding))}, expected torch.float32",
            )
        if embedding.shape != (1, out_dim):
            return False, f"{where}: got shape {tuple(embedding.shape)}, expected (1, {out_dim})"
        if not bool(torch.isfinite(embedding).all()):
            return False, f"{where}: got values that are not finite"
        if bool((embedding == embedding.numel() ** -0.5).all()):
            return False, f"{where}: the model gives no embedding that is finite and not zero, the file its stand-in"
        length = float(embedding.norm())
        if abs(length - 1.0) > _UNIT_TOLERANCE:
            return False, f"{where}: got length {length:.6f}, expected 1"
    return (
        True,
        f"float32 (1, {out_dim}), finite, unit length for {len(embeddings)} sizes from 1 x 1 to 1200 x 1600",
    )


def _checked(name: str, check: Callable[[], tuple[bool | None, str]]) -> CheckResult:
    """Run one check; what the file makes torch or zipfile raise is a failed check."""
    try:
        ok, detail = check()
    except (*_TORCH_ERRORS, ContractError, zipfile.BadZipFile, OSError) as error:
        return CheckResult(name, False, _first_line(error))
    return CheckResult(name, ok, detail)


def _not_run(names: tuple[str, ...]) -> list[CheckResult]:
    return [CheckResult(name, None, "an earlier check failed") for name in names]


def _check_version(path: Path) -> tuple[bool, str]:
    version = archive_version(path)
    return version <= HOST_MAX_VERSION, f"{version}; torch {HOST_TORCH} reads up to {HOST_MAX_VERSION}"


def _check_device_tag(path: Path) -> tuple[bool, str]:
    tags = device_tags(path)
    if tags == {"cuda:0"}:
        return True, "cuda:0, where a load without map_location puts the weights"
    return False, f"got {', '.join(sorted(tags)) or 'none'}, expected cuda:0: the host would not use its GPU"


def _check_fixed_device(path: Path) -> tuple[bool, str]:
    """A traced `device=cpu` would meet weights on the GPU."""
    with zipfile.ZipFile(path) as archive:
        code = [name for name in archive.namelist() if "/code/" in name and name.endswith(".py")]
        fixed = [name for name in code if b"torch.device(" in archive.read(name)]
    if fixed:
        return False, f"a device is written into {', '.join(fixed[:3])}"
    return True, "the code names no device"


def _check_size(path: Path) -> tuple[bool, str]:
    size = path.stat().st_size
    return size <= MAX_BYTES, f"{size / 1e6:.1f} MB of at most {MAX_BYTES / 1e6:.0f} MB"


def _check_gradients(model: torch.jit.ScriptModule) -> tuple[bool, str]:
    """A caller that forgets no_grad would otherwise keep every activation."""
    asking = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    if asking:
        return False, f"{len(asking)} parameters ask for gradients, {asking[0]} first"
    return True, "no parameter asks for them"


def _check_spread(embeddings: list[Tensor]) -> tuple[bool, str]:
    spread = float((torch.cat(embeddings) - embeddings[0]).abs().max())
    if spread < _SMALLEST_DIFFERENCE:
        return False, f"different images differ by {spread:.1e} at most: the model gives a constant"
    return True, f"different images differ by up to {spread:.2g}"


def _check_same(embedding: Tensor, first: Tensor) -> tuple[bool, str]:
    difference = float((embedding - first).abs().max())
    if difference == 0.0:
        return True, "the same bits twice"
    # A rounding's worth is allowed: a later call may run an optimised graph.
    return difference <= _SAME_TOLERANCE, f"differs by {difference:.1e}, allowed {_SAME_TOLERANCE:.0e}"


def _check_host(
    python: Path | None, path: Path, images: list[Tensor], embeddings: list[Tensor]
) -> tuple[bool | None, str]:
    """Load and run in torch 1.11, and compare with what this torch gave."""
    if python is None:
        return None, f"no torch {HOST_TORCH} here: `make host-runtime` makes one, or set {VARIABLE}"
    version, there = embed_in_host(python, path, images)
    cosines = [float(torch.dot(a, b.flatten())) for a, b in zip(there, embeddings)]
    difference = max(float((a - b.flatten()).abs().max()) for a, b in zip(there, embeddings))
    agreement = f"cosine {min(cosines):.7f} at least, difference {difference:.1e} at most"
    # all() and not min(): a cosine of nan must fail.
    return all(c >= MIN_COSINE for c in cosines), f"torch {version}, {len(images)} sizes: {agreement}"


def _load(path: Path) -> torch.jit.ScriptModule:
    return torch.jit.load(str(path), map_location="cpu").eval()


def _embed(model: torch.jit.ScriptModule, image: Tensor) -> Tensor:
    with torch.no_grad():
        return model(image.unsqueeze(0))


def _first_line(error: Exception) -> str:
    """The reason; torch surrounds it with pages of serialised code."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return lines[-1] if lines[0].startswith("The following operation failed") else lines[0]
