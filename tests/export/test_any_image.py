"""Any image at all through the exported file: finite, unit length, float32 [B, 64], in bounded memory.

The properties of one file, whatever the module that is at fault, so this file mirrors none.
"""

import json
import subprocess
import sys
from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings

from export.host_runtime import embed_in_host
from export.torchscript import export_submission
from train.data.preprocessing import RESIZE_RULES, View
from train.model.image_model import ImageModel

CORNERS = tuple(View(crop=0.8, at=at) for at in ("centre", "top_left", "top_right", "bottom_left", "bottom_right"))
FILES = {
    "squash": {}, "shortest_crop": {"resize": "shortest_crop"}, "pad": {"resize": "pad"},
    "every view": {"views": (View(), View(flip=True), View(image_px=48), View(resize="pad"), *CORNERS,
                             View(resize="shortest_crop", crop=0.9, flip=True))},
}  # fmt: skip
# Sides that exceed 8000 or areas above 48 megapixels: tests/export/test_any_image.py::test_memory_is_bounded.
SIDES = st.one_of(st.integers(1, 80), st.sampled_from((1, 2, 31, 32, 33, 64, 255, 256, 257, 2000)))
CONTENTS = ("noise", "black", "white", "grey", "one dot", "one column")
TYPES = (torch.uint8, torch.float32, torch.float64, torch.int64)


@pytest.fixture(scope="module")
def paths(make_embedder, tiny_spec, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, changes in FILES.items():
        model = ImageModel([make_embedder(image_sizes=name == "every view")], [replace(tiny_spec, **changes)])
        export_submission(model, folder / f"{name}.pt")
    return {name: folder / f"{name}.pt" for name in FILES}


@pytest.fixture(scope="module")
def models(paths):
    return {name: torch.jit.load(str(path), map_location="cpu").eval() for name, path in paths.items()}


def make_images(batch, height_px, width_px, content, dtype):
    """[B, 3, H, W], channels last in memory as PIL's; floats are in 0..1."""
    images = torch.zeros(batch, height_px, width_px, 3, dtype=torch.uint8)
    if content == "noise":
        images = torch.randint(0, 256, images.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    elif content in ("white", "grey"):
        images += {"white": 255, "grey": 128}[content]
    elif content == "one dot":
        images[:, height_px // 2, width_px // 2, 0] = 255
    elif content == "one column":
        images[:, :, width_px // 2] = 200
    images = images.permute(0, 3, 1, 2)
    return images.to(dtype) / 255 if dtype.is_floating_point else images.to(dtype)


def assert_embeddings(embeddings, batch):
    assert embeddings.shape == (batch, 64) and embeddings.dtype == torch.float32
    assert bool(torch.isfinite(embeddings).all())
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(batch), atol=1e-5)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(height_px=SIDES, width_px=SIDES, batch=st.integers(1, 3), content=st.sampled_from(CONTENTS),
       dtype=st.sampled_from(TYPES), name=st.sampled_from(tuple(FILES)))  # fmt: skip
@example(1, 1, 1, "noise", torch.uint8, "shortest_crop")
@example(1, 8000, 1, "noise", torch.uint8, "shortest_crop")
@example(8000, 1, 2, "noise", torch.uint8, "pad")
@example(3, 6000, 1, "black", torch.float32, "every view")
def test_any_image_gives_a_unit_vector(models, height_px, width_px, batch, content, dtype, name):
    images = make_images(batch, height_px, width_px, content, dtype)
    with torch.no_grad():
        embeddings = models[name](images)
        assert_embeddings(embeddings, batch)
        # Neither the type nor the neighbours in the batch matter.
        alone = models[name](make_images(1, height_px, width_px, content, torch.uint8))
    assert torch.allclose(embeddings[:1], alone, atol=2e-4)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(values=st.lists(st.floats(width=32), min_size=12, max_size=12), height_px=st.integers(1, 3))
def test_any_floats_give_a_unit_vector(models, values, height_px):
    image = torch.tensor(values).view(1, 3, 4, 1).repeat(1, 1, height_px, 1)
    for model in models.values():
        assert_embeddings(model(image), 1)


PEAK = """
import json, resource, sys, torch
model = torch.jit.load(sys.argv[1], map_location="cpu").eval()
torch.set_num_threads(1)
with torch.no_grad():
    model(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    image = torch.zeros(1, *json.loads(sys.argv[2]), 3, dtype=torch.uint8).permute(0, 3, 1, 2) + 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    embedding = model(image)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert bool(torch.isfinite(embedding).all())
print((after - before) * 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("size_px", [(8000, 6000), (6000, 8000), (1, 60000), (60000, 1), (2, 60000), (60000, 3),
                                     (30000, 500)], ids=str)  # fmt: skip
@pytest.mark.parametrize("rule", RESIZE_RULES)
def test_memory_is_bounded(paths, rule, size_px):
    """Beyond the image itself: at most 400 MB, where the image as floats alone would be 576 MB."""
    command = [sys.executable, "-c", PEAK, str(paths[rule]), json.dumps(size_px)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    assert int(done.stdout) < 400e6


@pytest.mark.slow
def test_extreme_images_give_the_same_in_the_real_host(paths, models, real_host):
    sizes = ((1, 1), (1, 60000), (60000, 1), (3000, 4000), (2, 999), (33, 31))
    images = [make_images(1, *size, "noise", torch.uint8)[0] for size in sizes]
    for name, path in paths.items():
        _, there = embed_in_host(real_host, path, images)
        with torch.no_grad():
            here = [models[name](image[None])[0] for image in images]
        assert all(float(torch.dot(a, b)) > 0.9999 for a, b in zip(there, here)), name
