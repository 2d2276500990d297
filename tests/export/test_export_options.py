"""Export options together in one file: weights x resize rule x views x head x towers, each against PIL and eager.

Every combination of two options occurs; in the real host all of them are loaded and run once.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from export.contract import check_contract
from export.host_runtime import embed_in_host
from export.parity import check_parity
from export.sample_images import sample_images
from export.torchscript import export_submission
from train.data.preprocessing import View
from train.model.image_model import ImageModel

IMAGES = sample_images(seed=11, sizes_px=((64, 48), (33, 127), (32, 32), (2, 40)))
VIEWS = {
    "plain": (View(),),
    "flip": (View(), View(flip=True)),
    "five crops": tuple(View(crop=0.8, at=at) for at in ("centre", "top_left", "top_right", "bottom_left",
                                                           "bottom_right")),
    "scaled": (View(), View(image_px=48), View(image_px=24, flip=True)),
}  # fmt: skip
RULES, WEIGHTS = ("squash", "shortest_crop", "pad"), ("fp32", "fp16")
MODELS = ("one", "sizes", "two and PCA")
# Of the 72 combinations those 12 in which every pair of two options occurs.
MATRIX = [(WEIGHTS[(a + b) % 2], rule, views, MODELS[(a + b) % 3])
          for (a, rule), (b, views) in itertools.product(enumerate(RULES), enumerate(VIEWS))]



@pytest.fixture(scope="module")
def embedders(make_embedder):
    return {"one": make_embedder(), "sizes": make_embedder("bn_linear", image_sizes=True),
            "other": make_embedder(out_dim=48, arch="conv32")}  # fmt: skip


@pytest.fixture(scope="module")
def model_of(embedders, tiny_spec):
    def make(rule, views, kind):
        spec = replace(tiny_spec, resize=rule, views=VIEWS[views])
        if kind != "two and PCA":
            return ImageModel([embedders[kind]], [spec]).eval()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            layer = torch.nn.Linear(64 + 48, 64)
        other = replace(tiny_spec, image_px=40, mean=(0.3, 0.4, 0.5))
        return ImageModel([embedders["one"], embedders["other"]], [spec, other], [0.7, 0.5], layer).eval()

    return make


def test_the_matrix_has_every_pair():
    options = (WEIGHTS, RULES, tuple(VIEWS), MODELS)
    for first, second in itertools.combinations(range(4), 2):
        pairs = {(row[first], row[second]) for row in MATRIX}
        assert len(pairs) == len(options[first]) * len(options[second])


@pytest.mark.parametrize(("weights", "rule", "views", "kind"), MATRIX)
def test_a_combination_agrees_with_pil_and_eager(tmp_path, model_of, weights, rule, views, kind):
    model = model_of(rule, views, kind)
    export_submission(model, tmp_path / "saved_model.pt", weights)
    parity = check_parity(tmp_path / "saved_model.pt", model, IMAGES)
    assert parity.check.ok, parity.check.detail


@pytest.mark.slow
@pytest.mark.parametrize("number", range(0, len(MATRIX), 4))
def test_combinations_pass_every_check_and_run_in_the_real_host(tmp_path, model_of, real_host, number):
    images = [torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in IMAGES]
    for weights, rule, views, kind in MATRIX[number : number + 4]:
        model, path = model_of(rule, views, kind), tmp_path / "saved_model.pt"
        export_submission(model, path, weights)
        _, there = embed_in_host(real_host, path, images)
        sizes = [torch.tensor([[image.height, image.width]], dtype=torch.float32) for image in IMAGES]
        for image, size_px, embedding in zip(IMAGES, sizes, there):
            assert float(model.embed([image], size_px)[0] @ embedding) > 0.9999, (weights, rule, views, kind)
        assert not [check for check in check_contract(path) if check.ok is False]
