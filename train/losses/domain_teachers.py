"""Teachers of single domains that learn beside the student, over the same tower, and that it learns from."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.losses.classifier import CosineClassifier
from train.losses.margin_softmax import margin_softmax_loss


def logit_distillation_loss(student: Tensor, teacher: Tensor, class_mask: Tensor, temperature: float) -> Tensor:
    """KL(teacher || student) of softmax(cosines / temperature) over each image's own classes, mean over the images.

    Not multiplied by temperature ** 2. Source: UDON, arXiv 2406.08332.

    Args:
        student: cosines [B, C], without margin; gets the gradient.
        teacher: cosines [B, C]; gets none.
        class_mask: bool [B, C], True for the classes of the image's domain, its own among them.
        temperature: of both softmaxes, in units of the cosine.

    Returns:
        Scalar, float32.
    """
    of_student, of_teacher = (
        (cosines.float() / temperature).masked_fill(~class_mask, -torch.inf).log_softmax(dim=1)
        for cosines in (student, teacher.detach())
    )
    differences = (of_teacher - of_student).masked_fill(~class_mask, 0.0)  # inf - inf elsewhere
    return (of_teacher.exp() * differences).sum(dim=1).mean()


def relation_loss(student: Tensor, teacher: Tensor, domains: Tensor) -> Tensor:
    """Squared difference of student's and teacher's similarities, mean over the ordered pairs of one domain.

    Pairs of two domains do not count: their teachers live in spaces that have nothing to do with each other.
    Source: UDON, arXiv 2406.08332, which has one domain a batch.

    Args:
        student: [B, D], unit length; gets the gradient.
        teacher: [B, W], unit length, each row from the teacher of its domain; gets none.
        domains: int64 [B].

    Returns:
        Scalar, float32; zero where no two images share a domain.
    """
    with torch.autocast(device_type=student.device.type, enabled=False):
        student, teacher = student.float(), teacher.detach().float()
        is_pair = (domains[:, None] == domains[None, :]).fill_diagonal_(False)
        differences = (student @ student.T - teacher @ teacher.T) * is_pair
    return differences.square().sum() / is_pair.sum().clamp(min=1)


class DomainTeachers(nn.Module):
    """One teacher a domain: a linear layer on the tower's features, unit length, cosines to its classes' centres.

    All teachers stand in two tables, so that each step has a gradient (if only of zeros) for every parameter:
    `projection`, a linear layer whose outputs are one block of `dim` numbers a domain, and `classifier`, the centres
    of all classes, of which those of the image's domain compete. A teacher's softmax has no margin.

    Gradients, as in UDON's code: a teacher's classification reaches its own parameters and the tower; distillation
    reaches the student's centres and head, and through the head the tower, but no teacher.

    Source: UDON, arXiv 2406.08332 (unit features, linear layer of 256, normalised softmax of scale 16).

    Args:
        domain_of_class: int64 [C], domains numbered from 0 without gaps.
        width: of the tower's features.
        dim: numbers of a teacher's embedding.
        scale: factor on the cosines in the teachers' softmax.
        temperature: of the logit distillation.
        seed: of the start values; None for torch's global generator.
    """

    def __init__(
        self, domain_of_class: Tensor, width: int, dim: int, scale: float, temperature: float, seed: int | None = None
    ) -> None:
        super().__init__()
        n_domains = int(domain_of_class.max()) + 1
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.register_buffer("domain_of_class", domain_of_class, persistent=False)
        self.projection = nn.Linear(width, n_domains * dim)
        nn.init.normal_(self.projection.weight, std=width**-0.5, generator=generator)
        nn.init.zeros_(self.projection.bias)
        self.classifier = CosineClassifier(len(domain_of_class), dim, generator=generator)
        self.dim, self.scale, self.temperature = dim, scale, temperature

    def embed(self, features: Tensor, domains: Tensor) -> Tensor:
        """Tower features [B, width] -> unit embeddings float32 [B, dim], each by the teacher of its domain."""
        # All domains by one product, then each image's own block: far cheaper than a tower, and never a loop.
        blocks = self.projection(functional.normalize(features.float(), dim=1)).unflatten(1, (-1, self.dim))
        own = blocks[torch.arange(len(domains), device=domains.device), domains]
        return functional.normalize(own.float(), dim=1)

    def losses(self, features: Tensor, class_ids: Tensor, student: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """What the teachers learn by and what they teach, unweighted.

        Args:
            features: of the tower [B, width].
            class_ids: int64 [B].
            student: unit embeddings [B, D] and cosines [B, C] without margin.

        Returns:
            `teacher_classification`, `logit_distillation` and `relation`, each a scalar.
        """
        embeddings, cosines = student
        domains = self.domain_of_class[class_ids]
        class_mask = domains[:, None] == self.domain_of_class[None, :]  # [B, C]
        of_teacher = self.embed(features, domains)
        teacher_cosines = self.classifier(of_teacher)
        return {
            "teacher_classification": margin_softmax_loss(teacher_cosines, class_ids, self.scale, 0.0, class_mask),
            "logit_distillation": logit_distillation_loss(cosines, teacher_cosines, class_mask, self.temperature),
            "relation": relation_loss(embeddings, of_teacher, domains),
        }
