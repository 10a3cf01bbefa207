"""The losses of the image autoencoder (SCAE, sections 2.2 to 2.4): for parts, for objects, or for both."""

from __future__ import annotations

import tensorflow as tf

from discovery import Batch, BatchSum, Metrics, Seed, one_replica
from stacked_capsules.batch_statistics import batch_totals, weighted_sum
from stacked_capsules.classification_probe import probe_scores
from stacked_capsules.image_outputs import ImageAutoencoderOutputs
from stacked_capsules.sobel import normalized_sobel_edges
from stacked_capsules.sparsity import between_examples, within_example

#: What can learn in a step.
LEARNERS = ("all", "parts", "objects")


class ImageLosses:
    """The losses of `ImageAutoencoder`, which holds the weights and the options."""

    def losses(
        self, batch: Batch, outputs: ImageAutoencoderOutputs, batch_sum: BatchSum = one_replica
    ) -> tuple[tf.Tensor, Metrics]:
        """Returns the loss and its terms; the probes' terms need `label` in the batch.

        SCAE, section 2.4, loss of the image model:
            L = -log p(y) - log p(x_1:M, d_1:M) + L_prior + L_posterior, each term weighted.
        """
        parts = self._terms_of_parts(batch["image"], outputs.parts.presence, outputs.reconstruction)
        objects, sums = self._terms_of_objects(batch, outputs._asdict())
        return self._total({**parts, **objects}, sums, batch_sum, [self])

    def loss_and_metrics(
        self,
        batch: Batch,
        step: tf.Tensor,
        seed: Seed | None,
        batch_sum: BatchSum = one_replica,
        training: bool = True,
        learn: str = "all",
    ) -> tuple[tf.Tensor, Metrics]:
        """Computes one forward pass of the training step.

        Args:
            batch: `image`, float32 [B, H, W, C] in [0, 1], and, for the probes, `label`.
            step: the training step.
            seed: of noise and dropout.
            batch_sum: sums over replicas.
            training: whether to add noise.
            learn: "all"; "parts": no object is inferred; "objects": parts are inferred as at evaluation,
                without noise, nothing is rendered, and no gradient reaches the part encoder or decoder.

        Returns:
            the loss of what learns, and the metrics computed for it.
        """
        if learn == "all":
            return super().loss_and_metrics(batch, step, seed, batch_sum, training)
        of_parts, *of_objects = self._seeds(seed)
        if learn == "parts":
            parts, templates, _ = self._infer_parts(batch["image"], training, of_parts)
            target = self._target(batch["image"])
            drawn = self._reconstruct(parts.pose, parts.presence, templates, target, training)
            terms = self._terms_of_parts(batch["image"], parts.presence, drawn)
            return self._total(terms, {}, batch_sum, [self.part_encoder, self.part_decoder])
        parts, _, tiled = tf.nest.map_structure(
            lambda x: x if x is None else tf.stop_gradient(x),  # there may be no special features
            self._infer_parts(batch["image"], False, of_parts),
        )
        inferred = self._infer_objects(parts, tiled, training, *of_objects)
        terms, sums = self._terms_of_objects(batch, {**inferred, **self._probe(inferred)})
        learning = [self.object_encoder, self.object_decoder, self.prior_probe, self.posterior_probe]
        return self._total(terms, sums, batch_sum, learning)

    def _terms_of_parts(self, images, presence, reconstruction):
        """Returns, by name, the terms [B] that measure how well parts explain the image."""
        error = tf.square(self._target(images) - reconstruction.mode)  # [B, H, W, C]
        return {
            "mse": tf.reduce_sum(error, [1, 2, 3]),
            "rec_ll": reconstruction.log_likelihood,
            "primary_caps_l1": tf.reduce_sum(presence, 1),
        }

    def _terms_of_objects(self, batch, inferred):
        """Returns, by name, the terms [B] that measure how well objects explain parts, and what to sum."""
        votes = inferred["votes"]
        n_parts = votes.posterior_mixing_probs.shape[1]
        posterior = inferred["mass_explained_by_capsule"] / n_parts  # [B, O]
        prior = inferred["caps_presence_prob"]  # [B, O]
        terms = {
            "dynamic_weights_l2": inferred["objects"].dynamic_weights_l2,
            "log_prob": votes.log_prob,
            "posterior_within_sparsity_loss": within_example(
                self.config.posterior_sparsity_loss_type, posterior, self.config.n_classes
            ),
            "prior_within_sparsity_loss": within_example(
                self.config.prior_sparsity_loss_type,
                prior,
                self.config.n_classes,
                self.config.prior_within_example_constant,
            ),
        }
        if "label" in batch:
            for kind in ("posterior", "prior"):
                logits = inferred[f"{kind}_class_logits"]  # [B, n_classes]
                xe, hit = probe_scores(logits, batch["label"], batch.get("labeled"))  # [B], [B]
                terms |= {f"{kind}_cls_xe": xe, f"{kind}_cls_acc": hit}
        wins = tf.one_hot(votes.is_from_capsule, self.object_decoder.n_caps)  # [B, P, O]
        return terms, {"posterior": posterior, "prior": prior, "wins": tf.reduce_sum(wins, 1)}

    def _total(self, terms, sums, batch_sum, learning):
        """Returns the loss and its terms over the global batch; weight decay applies to layers that learn."""
        one_each = tf.ones_like(next(iter(terms.values())))  # [B]
        if self.config.weight_decay > 0.0:
            kernels = [
                tf.nn.l2_loss(w.value)
                for layer in learning
                for w in layer.trainable_variables
                if w.name == "kernel"
            ]
            # summed with the batch's terms, it counts once on any number of replicas
            terms = {**terms, "weight_decay_loss": tf.add_n(kernels) * one_each}
        totals = batch_totals({**terms, "count": one_each, **sums}, batch_sum)

        count = totals["count"]  # [], size of the global batch
        metrics = {name: totals[name] / count for name in terms}
        if "log_prob" in metrics:
            for kind in ("posterior", "prior"):
                loss_type = getattr(self.config, f"{kind}_sparsity_loss_type")
                metrics[f"{kind}_between_sparsity_loss"] = between_examples(
                    loss_type, totals[kind], count, self.config.n_classes
                )
            for k, wins_of_k in enumerate(tf.unstack(totals["wins"] / count)):
                metrics[f"votes_per_capsule_{k}"] = wins_of_k
        if "prior_cls_acc" in metrics:
            metrics["best_cls_acc"] = tf.maximum(metrics["prior_cls_acc"], metrics["posterior_cls_acc"])
        weights = {name: weight for name, weight in self.config.loss_weights().items() if name in metrics}
        loss = weighted_sum(metrics, weights)
        return loss, {"loss": loss, **metrics}

    def _target(self, images):
        return normalized_sobel_edges(images) if self.config.prep == "sobel" else images  # [B, H, W, C]
