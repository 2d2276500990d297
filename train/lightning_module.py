"""One stage's training and validation steps for Lightning. Everything arrives as plain values; it sees no config."""

from collections.abc import Callable, Mapping

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from train.data.preprocessing import PreprocessSpec, normalise_batch
from train.model.embedder import Embedder
from train.processes import first_does, is_cut_up, n_processes, rank, rows_of_all, whole_batch
from train.retrieval.protocol import EvaluationItems, headline_values, score_embeddings
from train.stages.objective import Objective


def validation_values(embeddings: np.ndarray, items: EvaluationItems) -> dict[str, float]:
    """Unit embeddings float32 [M, D] -> `val/mMP@5`, `val/R@1` and `val/mMP@5/<domain>`, named as in metrics.jsonl."""
    values = headline_values(score_embeddings(embeddings, items))
    return {f"val/{name}": value for name, value in values.items()}


class StageModule(pl.LightningModule):
    """Embedder + class centres under one margin loss, validated by the same retrieval code as the final score.

    Args:
        embedder: tower and head.
        classifier: unit embeddings [B, D] -> cosines [B, C].
        preprocess: of this stage.
        objective: see `Objective`.
        class_rows: int64 [N]: row of the classifier for each training sample.
        validation_items: what the validation samples are, in the order of the validation loader.
    """

    def __init__(
        self, embedder: Embedder, classifier: nn.Module, preprocess: PreprocessSpec, objective: Objective,
        class_rows: np.ndarray, validation_items: EvaluationItems,
    ) -> None:
        super().__init__()
        self.embedder = embedder
        self.classifier = classifier
        self.preprocess = preprocess
        self.objective = objective
        # Registered here, the statistics of an adaptive margin are part of every checkpoint of the stage.
        self.margin = objective.margin if isinstance(objective.margin, nn.Module) else None
        self.teachers = objective.teachers  # likewise
        self.class_rows = torch.from_numpy(class_rows)
        self.validation_items = validation_items
        self.make_optimizer: Callable[[], dict] | None = None
        self.optimizer: torch.optim.Optimizer | None = None  # of the fit
        self.last_validation: Mapping[str, float] = {}
        self._validation_rows: list[Tensor] = []
        self.source_rows: Tensor | None = None
        self.compiled_features: Callable[[Tensor], Tensor] | None = None  # of the tower, where a stage compiles it
        self.is_sharded = False  # set before fit, for FSDP
        self.finite_rows: Tensor | None = None  # bool [B], of the last training batch: see `FiniteLoss`

    def note_sources(self, source_rows: np.ndarray, n_rounds: int) -> None:
        """From now on note the losses of each source in each round, as part of every checkpoint of the stage.

        `source_rows`: int64 [N], the source of each training sample, numbered from 0; batches are of one source.
        """
        self.source_rows = torch.from_numpy(source_rows)
        n_sources = int(source_rows.max()) + 1
        self.register_buffer("source_loss_sums", torch.zeros(n_rounds, n_sources))
        self.register_buffer("source_batches", torch.zeros(n_rounds, n_sources))

    def source_losses(self) -> np.ndarray:
        """Mean loss of each source in each round: float32 [n_rounds, n_sources], NaN where it had no batch."""
        return (self.source_loss_sums / self.source_batches).cpu().numpy()

    def configure_model(self) -> None:
        if self.is_sharded and not is_cut_up(self.parameters()):
            from train.sharding import shard_parts  # slow to import, and most runs need it not

            shard_parts(self.embedder, self.classifier, self.device_mesh["data_parallel"])

    def configure_optimizers(self) -> dict:
        assert self.make_optimizer is not None, "the stage runner sets it before fit"
        made = self.make_optimizer()
        self.optimizer = made["optimizer"]
        return made

    def named_parts(self) -> list[tuple[str, nn.Parameter]]:
        """Every parameter under the name that learning-rate rules see: `backbone.`, `head.`, `classifier.` or
        `teachers.` ..."""
        parts = {"backbone": self.embedder.backbone, "head": self.embedder.head, "classifier": self.classifier}
        if self.teachers is not None:
            parts["teachers"] = self.teachers
        return [(f"{part}.{name}", p) for part, module in parts.items() for name, p in module.named_parameters()]

    def on_train_start(self) -> None:
        self.objective.set_modes(self.embedder)  # a run that goes on inside a round begins none

    def on_train_epoch_start(self) -> None:
        self.objective.set_modes(self.embedder)

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        self._seed_draws(batch_index)
        features = self._features_of(batch)
        raw = self.embedder.project_raw(features, batch.get("sizes_px"))  # [B, D]
        class_ids = self._classes_of(batch["indices"])
        is_second_pass = getattr(self.optimizer, "is_climbed", False)  # of SAM: the batch has been counted
        if self.margin is not None:
            self.margin.train(self.training and not is_second_pass)
        losses = self._losses(features, raw, class_ids, batch["indices"])
        if is_second_pass:
            return losses["loss"]
        self.finite_rows = torch.isfinite(raw.detach()).all(dim=1)
        for name, value in losses.items():
            self.log(f"train/{name}", value.detach(), on_step=True, on_epoch=False, prog_bar=name == "loss")
        if self.source_rows is not None:
            self._note_loss(losses, batch["indices"][:1])
        return losses["loss"]

    def _seed_draws(self, batch_index: int) -> None:
        """Dropout draws from the global generators: tied to the batch, a resumed run draws the same.

        As torch.manual_seed, but for this process's own device alone. That one reaches for every kind of device, and
        where CUDA has not been started it notes the call stack in case it ever is: 2 ms in every step.
        """
        seed = self.objective.seed + 1_000_003 * self.current_epoch + batch_index + 15_485_863 * rank()
        torch.default_generator.manual_seed(seed)
        if self.device.type not in ("cpu", "meta"):  # the CPU's is the one above; meta tensors draw nothing
            torch.get_device_module(self.device).manual_seed(seed)

    def _classes_of(self, indices: Tensor) -> Tensor:
        """int64 [B], where the indices are; the table moves there once, for a look-up on the other side of a copy would
        make every step wait."""
        if self.class_rows.device != indices.device:
            self.class_rows = self.class_rows.to(indices.device)
        return self.class_rows[indices]

    def _losses(self, features: Tensor, raw: Tensor, class_ids: Tensor, indices: Tensor) -> dict[str, Tensor]:
        """The mean over processes of what this returns is the loss of the whole batch, and so are its gradients."""
        weight = 1.0
        if n_processes() > 1:
            n_images = self.objective.images_per_step // self.trainer.accumulate_grad_batches
            if self.objective.relates_images:
                features = whole_batch(features, n_images) if self.teachers is not None else features
                raw, class_ids, indices = (whole_batch(one, n_images) for one in (raw, class_ids, indices))
            else:  # a mean over images: a process with more of them weighs more
                weight = len(raw) * n_processes() / n_images
        losses = self.objective.losses(features, raw, class_ids, indices, self.classifier, self.images_seen())
        return losses if weight == 1.0 else {name: value * weight for name, value in losses.items()}

    def _note_loss(self, losses: dict[str, Tensor], sample: Tensor) -> None:
        """What tells how far a source is learnt: its teacher's classification, else the student's. `sample`: int64 [1],
        any of the batch."""
        named = ("teacher_classification", "classification", "loss")
        loss = next(losses[name] for name in named if name in losses).detach().clone()  # reduce works in place
        if self.source_rows.device != sample.device:
            self.source_rows = self.source_rows.to(sample.device)
        source, loss = self.source_rows[sample], self.trainer.strategy.reduce(loss, reduce_op="mean")
        self.source_loss_sums[self.current_epoch].index_add_(0, source, loss.reshape(1))
        self.source_batches[self.current_epoch].index_add_(0, source, torch.ones_like(loss).reshape(1))

    def images_seen(self) -> int:
        """Images of this stage that the optimizer has seen, over all devices."""
        return self.global_step * self.objective.images_per_step

    def _features_of(self, batch: dict[str, Tensor]) -> Tensor:
        """[B, width]: cached, or from the tower."""
        return batch["features"] if "features" in batch else self._tower_features(batch["pixels"])

    def _tower_features(self, pixels: Tensor) -> Tensor:
        run_tower = self.compiled_features or self.embedder.features
        return run_tower(normalise_batch(pixels, self.preprocess))

    def validation_step(self, batch: dict[str, Tensor], batch_index: int) -> None:
        embeddings = self.embedder.project(self._features_of(batch), batch.get("sizes_px"))
        self._validation_rows.append(embeddings.cpu())

    def on_validation_epoch_end(self) -> None:
        own = torch.cat(self._validation_rows).float()
        self._validation_rows = []
        if self.trainer.sanity_checking:
            return
        rows = rows_of_all(own, len(self.validation_items.ids))
        self.last_validation = first_does(lambda: validation_values(rows.numpy(), self.validation_items))
        for name, value in self.last_validation.items():
            self.log(name, torch.tensor(value, dtype=torch.float32), prog_bar=name == "val/mMP@5", sync_dist=False)
