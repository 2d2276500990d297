"""What a stage minimises: margin softmax over its classes; optionally the start tower's geometry, domain teachers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.config import StageConfig
from train.losses.class_chunks import chunked_margin_softmax_loss
from train.losses.domain_teachers import DomainTeachers
from train.losses.margin_softmax import margin_softmax_loss
from train.losses.similarity_distillation import similarity_distillation_loss
from train.model.embedder import Embedder
from train.processes import is_cut_up
from train.stages.data import TrainingSet
from train.stages.margin import build_margin


@dataclass
class Objective:
    """The loss of a stage: margin softmax over the classes; optionally the start tower's geometry and what teachers of
    single domains, which learn in the same step, make of the images.

    Attributes:
        margin: (cosines [B, C], class_ids [B], feature norms [B], images seen in the stage) -> cosines [B, C]; a
            module where it keeps statistics, which `StageModule` then stores.
        scale: logits are scale * cosine.
        label_smoothing: share of the target spread over all classes.
        images_per_step: images an optimizer step consumes, over all devices.
        seed: of the stage.
        domain_of_class: int64 [C] for separate classifiers (only classes of the image's domain compete); None: joint.
        focal_gamma: of the focal loss; 0 for none.
        distil: (unit embeddings [B, D], sample indices [B]) -> scalar, weighted by `distillation_weight`.
        teachers: a module whose parameters train too; `teacher_weights` are those of its losses, by name.
        chunk_above_logits: from more cosines (B x C x K) on, the softmax is computed in chunks of classes.
    """

    margin: Callable[[Tensor, Tensor, Tensor, int], Tensor]
    scale: float
    label_smoothing: float
    images_per_step: int
    seed: int
    batch_norm_frozen: bool
    focal_gamma: float = 0.0
    domain_of_class: Tensor | None = None
    distil: Callable[[Tensor, Tensor], Tensor] | None = None
    distillation_weight: float = 0.0
    teachers: DomainTeachers | None = None
    teacher_weights: Mapping[str, float] = field(default_factory=dict)
    chunk_above_logits: int = 2**23

    @property
    def relates_images(self) -> bool:
        """Whether the loss is more than a mean over images: it compares them, or keeps statistics of the batch. Then
        several processes must see the whole batch."""
        keeps = getattr(self.margin, "kept", None) is not None
        return self.distil is not None or self.teachers is not None or keeps

    def set_modes(self, embedder: Embedder) -> None:
        """Training mode, except what is frozen: a tower or head of which nothing trains, and batch norms of the tower
        that keep their statistics. A frozen head keeps its dropout: the tower is to learn under it (1st place)."""
        embedder.train()
        if not _trains(embedder.backbone):
            embedder.backbone.eval()
        still = [embedder.backbone] if self.batch_norm_frozen else []
        if not _trains(embedder.head):
            still.append(embedder.head)
        for part in still:
            for module in part.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def losses(
        self, features: Tensor, raw_embeddings: Tensor, class_ids: Tensor, indices: Tensor, classifier: nn.Module,
        images_seen: int,
    ) -> dict[str, Tensor]:
        """Tower features [B, width] and embeddings float32 [B, D] before they are made unit -> `loss` and its parts,
        each a scalar."""
        embeddings, norms = F.normalize(raw_embeddings, dim=1), raw_embeddings.norm(dim=1)
        cosines = None
        if self.goes_in_chunks(classifier, len(class_ids)):
            classification = chunked_margin_softmax_loss(
                embeddings, classifier.centres, class_ids,
                lambda targets: self.margin.parts(targets, class_ids, norms, images_seen),
                self.scale, self.label_smoothing, self.domain_of_class, self.focal_gamma,
            )
        else:
            cosines = classifier(embeddings)
            with_margin = self.margin(cosines, class_ids, norms, images_seen)
            classification = self._classification(with_margin, class_ids)
        parts, total = {"classification": classification}, classification
        if self.distil is not None:
            parts["distillation"] = self.distil(embeddings, indices)
            total = total + self.distillation_weight * parts["distillation"]
        if self.teachers is not None:
            taught = self.teachers.losses(features, class_ids, (embeddings, cosines))
            parts |= taught
            total = total + sum(self.teacher_weights[name] * value for name, value in taught.items())
        return {"loss": total, **(parts if len(parts) > 1 else {})}

    def goes_in_chunks(self, classifier: nn.Module, n_images: int) -> bool:
        """Whether the softmax over so many logits makes no table of them; teachers learn from that table."""
        if self.teachers is not None or not getattr(self.margin, "has_parts", False):
            return False
        if is_cut_up(classifier.parameters()):  # centres that are whole only inside the classifier's forward
            return False
        n_classes, n_sub_centres, _ = classifier.centres.shape
        return n_images * n_classes * n_sub_centres > self.chunk_above_logits

    def _classification(self, cosines_with_margin: Tensor, class_ids: Tensor) -> Tensor:
        mask = None
        if self.domain_of_class is not None:
            domains = self.domain_of_class.to(class_ids.device)
            mask = domains[class_ids][:, None] == domains[None, :]  # [B, C]
        return margin_softmax_loss(cosines_with_margin, class_ids, self.scale, self.label_smoothing, mask,
                                   self.focal_gamma)


def _trains(part: nn.Module) -> bool:
    """Whether any parameter of it does; one without parameters trains as what is around it."""
    parameters = list(part.parameters())
    return not parameters or any(parameter.requires_grad for parameter in parameters)


def distil_from(teacher_features: np.ndarray, kind: str, temperature: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The relational loss against fixed features float32 [N, W], looked up by sample index."""
    def distil(embeddings: Tensor, indices: Tensor) -> Tensor:
        teacher = torch.from_numpy(np.asarray(teacher_features[indices.cpu().numpy()])).to(embeddings.device)
        return similarity_distillation_loss(embeddings, F.normalize(teacher, dim=1), temperature, kind)

    return distil


def build_objective(
    stage: StageConfig, data: TrainingSet, seed: int, teacher: np.ndarray | None,
    domain_teachers: DomainTeachers | None = None,
) -> Objective:
    """The objective a stage's config asks for; `teacher` float32 [N, W] where it distils from fixed features."""
    domain_of_class = None
    if stage.classifier.competition == "per_domain":
        domain_of_class = torch.from_numpy(data.class_domains()[1])
    distillation, lessons = stage.distillation, stage.domain_teachers
    return Objective(
        margin=build_margin(stage.margin, data.class_rows, len(data.class_names), data.n_images_per_epoch,
                            stage.classifier.scale),
        scale=stage.classifier.scale,
        label_smoothing=stage.classifier.label_smoothing,
        images_per_step=stage.batch_size * stage.accumulate_batches,
        seed=seed,
        batch_norm_frozen=stage.batch_norm == "frozen",
        focal_gamma=stage.classifier.focal_gamma,
        domain_of_class=domain_of_class,
        distil=distil_from(teacher, distillation.kind, distillation.temperature) if distillation else None,
        distillation_weight=distillation.weight if distillation else 0.0,
        teachers=domain_teachers,
        chunk_above_logits=stage.classifier.chunk_above_logits,
        teacher_weights={
            "teacher_classification": lessons.teacher_weight, "logit_distillation": lessons.logit_weight,
            "relation": lessons.relation_weight,
        } if lessons else {},
    )
