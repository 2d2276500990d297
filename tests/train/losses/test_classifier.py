"""Class centres: sub-centres against a slow loop, precision, seeds, starts from class means."""

import pytest
import torch
from torch.nn import functional

from train.losses.classifier import CosineClassifier


def _unit(n: int, dim: int, seed: int = 0) -> torch.Tensor:
    return functional.normalize(torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


@pytest.mark.parametrize("n_sub_centres", [1, 2, 3, 4])
def test_cosines_are_those_of_the_nearest_sub_centre(n_sub_centres: int) -> None:
    classifier = CosineClassifier(5, 8, n_sub_centres, generator=3)
    embeddings = _unit(6, 8)
    cosines = classifier(embeddings)
    assert cosines.shape == (6, 5)
    for row, embedding in enumerate(embeddings):
        for class_id in range(5):
            best = max(
                functional.cosine_similarity(embedding, classifier.centres[class_id, k], dim=0).item()
                for k in range(n_sub_centres)
            )
            assert cosines[row, class_id].item() == pytest.approx(best, abs=1e-5)


def test_only_the_nearest_sub_centre_learns() -> None:
    classifier = CosineClassifier(1, 2, n_sub_centres=2)
    classifier.centres.data = torch.tensor([[[1.0, 1.0], [1.0, -1.0]]])
    classifier(torch.tensor([[0.6, 0.8]])).sum().backward()
    assert classifier.centres.grad is not None
    assert classifier.centres.grad[0, 0].abs().sum() > 0.1
    assert classifier.centres.grad[0, 1].tolist() == [0.0, 0.0]


def test_length_of_a_centre_does_not_count() -> None:
    classifier = CosineClassifier(3, 4, generator=0)
    before = classifier(_unit(2, 4))
    classifier.centres.data *= 7.0
    assert torch.allclose(classifier(_unit(2, 4)), before, atol=1e-6)


def test_cosines_stay_float32_under_autocast() -> None:
    classifier = CosineClassifier(50, 64, generator=0)
    embeddings = _unit(4, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cosines = classifier(embeddings)
        assert (embeddings @ classifier.centres[:, 0].T).dtype == torch.bfloat16  # autocast was on
    assert cosines.dtype == torch.float32
    assert torch.equal(cosines, classifier(embeddings))


def test_start_depends_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = CosineClassifier(4, 8, 2, generator=5).centres
    torch.manual_seed(2)
    assert torch.equal(first, CosineClassifier(4, 8, 2, generator=torch.Generator().manual_seed(5)).centres)
    assert not torch.equal(first, CosineClassifier(4, 8, 2, generator=6).centres)
    assert CosineClassifier(2000, 64, generator=0).centres.norm(dim=2).mean().item() == pytest.approx(
        1.0, abs=0.02
    )


def test_sizes_below_one_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"at least 1.*\(0, 1, 8\)"):
        CosineClassifier(0, 8)


def test_class_means_become_the_centres() -> None:
    classifier = CosineClassifier(2, 2)
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    classifier.set_centres_from_class_means(embeddings, torch.tensor([1, 1, 0]))
    expected = torch.tensor([[[-1.0, 0.0]], [[0.5**0.5, 0.5**0.5]]])
    assert torch.allclose(classifier.centres, expected, atol=1e-6)
    assert classifier.centres.requires_grad


def test_sub_centres_start_near_the_mean_but_apart() -> None:
    embeddings, class_ids = _unit(12, 16), torch.arange(12) % 3
    centres = []
    for _ in range(2):
        classifier = CosineClassifier(3, 16, n_sub_centres=3)
        classifier.set_centres_from_class_means(embeddings, class_ids, seed=4)
        centres.append(classifier.centres.detach())
    assert torch.equal(centres[0], centres[1])
    assert torch.allclose(centres[0].norm(dim=2), torch.ones(3, 3), atol=1e-5)
    to_mean = (centres[0] * centres[0][:, :1]).sum(dim=2)[:, 1:]
    assert (to_mean > 0.97).all()
    assert (to_mean < 0.9999).all()


@pytest.mark.parametrize(
    ("class_ids", "message"),
    [
        ([0, 0, 2], r"no embedding of the classes \[1\]"),
        ([0, 1, 3], "got up to 3 "),
        ([0, 1], r"\[2, 4\], got \[3, 4\]"),
    ],
)
def test_class_means_need_every_class(class_ids: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CosineClassifier(3, 4).set_centres_from_class_means(_unit(3, 4), torch.tensor(class_ids))
