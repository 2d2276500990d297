"""Made images: repeatable, in the sizes asked for, with the spectrum and edges of photographs."""

import numpy as np

from export.sample_images import SIZES_PX, sample_images


def test_sizes_mode_and_repeatability():
    images = sample_images(seed=1)
    assert [image.size for image in images] == list(SIZES_PX)
    assert all(image.mode == "RGB" for image in images)
    again, other = sample_images(seed=1), sample_images(seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(images, again))
    assert not np.array_equal(images[0], other[0])


def test_power_falls_with_frequency_and_contrast_is_real():
    (image,) = sample_images(seed=0, sizes_px=((256, 256),))
    grey = np.array(image.convert("L")).astype(float)
    assert grey.std() > 20
    power = np.abs(np.fft.rfft2(grey - grey.mean())) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None, :])
    low = power[(frequency > 0.01) & (frequency < 0.03)].mean()
    high = power[(frequency > 0.3) & (frequency < 0.5)].mean()
    assert low > 50 * high > 0
