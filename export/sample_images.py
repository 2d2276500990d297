"""Made images with the statistics and sizes of photographs: what parity is measured on.

Natural images have amplitudes that fall as 1/f (Field, JOSA A 1987) and hard edges where one thing covers
another; a resize that handles either badly shows on these, while it would pass on smooth gradients.
"""

import numpy as np
from PIL import Image, ImageDraw

# Width by height: landscape, a tall thin one, a large one, already at a usual model size, and smaller than
# the model's.
SIZES_PX = ((640, 480), (127, 333), (1600, 1200), (224, 224), (150, 100))


def sample_images(seed: int = 0, sizes_px: tuple[tuple[int, int], ...] = SIZES_PX) -> list[Image.Image]:
    """One RGB image a size (width, height); the same for the same seed."""
    rng = np.random.default_rng(seed)
    return [_sample_image(width_px, height_px, rng) for width_px, height_px in sizes_px]


def _sample_image(width_px: int, height_px: int, rng: np.random.Generator) -> Image.Image:
    """1/f noise, its colours mixed by chance, under a dozen opaque shapes."""
    down = np.fft.fftfreq(height_px)[:, None, None]
    across = np.fft.rfftfreq(width_px)[None, :, None]
    frequency = np.maximum(np.hypot(down, across), 1.0 / max(width_px, height_px))
    spectrum = np.fft.rfft2(rng.standard_normal((height_px, width_px, 3)), axes=(0, 1)) / frequency
    noise = np.fft.irfft2(spectrum, s=(height_px, width_px), axes=(0, 1)) @ rng.uniform(-1.0, 1.0, (3, 3))
    noise = (noise - noise.mean()) / max(float(noise.std()), 1e-9)
    grey_levels = np.clip(rng.uniform(80, 170, 3) + 45.0 * noise, 0, 255).astype(np.uint8)
    image = Image.fromarray(grey_levels)
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = rng.uniform(-0.2, 1.0, 2) * (width_px, height_px)
        right, bottom = (left, top) + rng.uniform(0.05, 0.5, 2) * (width_px, height_px)
        shape = (draw.rectangle, draw.ellipse)[int(rng.integers(2))]
        shape((left, top, right, bottom), fill=tuple(int(level) for level in rng.integers(0, 256, 3)))
    return image
