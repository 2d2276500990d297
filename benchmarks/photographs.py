"""JPEGs to time decoders with: rendered photographs, enlarged, with texture as fine and as strong as a camera's.

How long a JPEG takes to decode hangs on its bytes a pixel more than on anything else, so the texture comes in three
strengths. Amplitudes fall with the frequency f as 1 / f ** exponent, as in natural scenes.
"""

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

# Exponent of the texture. `usual`: the mean size of GLDv2's files (121 kB at 800 x 600, 500 tars of 1 GB for 4.1M);
# `soft`: two thirds of it, shallow focus and skies; `detailed`: 1.6 times it, foliage and gravel edge to edge.
EXPONENTS = {"usual": 1.4, "soft": 1.6, "detailed": 1.2}
SOURCE_QUALITY = 90  # 4:2:0


def photographs(size: tuple[int, int], detail: str, n: int, seed: int = 0) -> list[bytes]:
    """`n` JPEGs of (width, height) `size`; the same bytes for the same arguments and library versions."""
    rng = np.random.default_rng([seed, *size])
    return [_jpeg(_textured(base, size, EXPONENTS[detail], rng)) for base in _rendered(n)]


def read_photographs(folder: Path, size: tuple[int, int]) -> list[bytes]:
    """The JPEGs below `folder`, resized to cover `size`, cut to it, and encoded as the rendered ones are."""
    contents = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg")):
        image = Image.open(path).convert("RGB")
        scale = max(size[0] / image.width, size[1] / image.height)
        cover = (max(size[0], round(image.width * scale)), max(size[1], round(image.height * scale)))
        contents.append(_jpeg(image.resize(cover, Image.Resampling.LANCZOS).crop((0, 0, *size))))
    return contents


def _rendered(n: int) -> list[Image.Image]:
    from data_prep.sample_world import render_world

    with tempfile.TemporaryDirectory() as folder:
        render_world(Path(folder), seed=0, scale=0.05, n_workers=1, sources=("products_10k",))
        paths = sorted(path for path in Path(folder).rglob("*.jpg"))
        assert len(paths) >= n, f"{len(paths)} photographs rendered, {n} wanted"
        return [Image.open(path).convert("RGB") for path in paths[:: len(paths) // n][:n]]


def _textured(base: Image.Image, size: tuple[int, int], exponent: float, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(base.resize(size, Image.Resampling.LANCZOS), dtype=np.float32) * 0.6 + 50
    pixels = pixels + 40 * _texture(size, exponent, rng)[..., None]
    for channel in range(3):  # colour varies less and more slowly than brightness
        pixels[..., channel] += 10 * _texture(size, exponent + 0.3, rng)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _texture(size: tuple[int, int], exponent: float, rng: np.random.Generator) -> np.ndarray:
    """[H,W] noise of mean 0 and deviation 1."""
    width, height = size
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(np.exp(2j * np.pi * rng.random(frequency.shape)) / frequency**exponent, s=(height, width))
    return noise / noise.std()


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=SOURCE_QUALITY, subsampling="4:2:0")
    return buffer.getvalue()
