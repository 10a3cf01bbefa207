"""The constellation autoencoder: points explained by objects that come in any pose (SCAE, section 2.1)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from discovery import Batch, BatchSum, Metrics, Seed, TrainableModel, UserError, one_replica
from discovery.checked_arrays import checked_points
from stacked_capsules.batch_statistics import batch_totals, weighted_sum
from stacked_capsules.constellation_capsule import ConstellationCapsule, PointVotes
from stacked_capsules.constellation_decoder import ConstellationDecoder
from stacked_capsules.segmentation_metric import correctly_grouped
from stacked_capsules.serialization import arguments_of, rebuilt_arguments
from stacked_capsules.set_transformer import SetTransformer
from stacked_capsules.sparsity import between_examples, check_sparsity_type, within_example
from stacked_capsules.vote_likelihood import VoteExplanation


class ConstellationOutputs(NamedTuple):
    """What the model says about constellations of N points; O capsules, M votes of all of them together.

    Attributes:
        caps_encoding: [B, O, d], the encoder's output.
        objects: The capsules' votes.
        votes: How the votes explain the points.
        caps_presence_prob: [B, O], in [0, 1], the capsules' presence as the prior sparsity losses see it.
        caps_presence_soft: [B, O], in [0, 1], presence of each capsule's most present vote.
        mass_explained_by_capsule: [B, O], in [0, N], posterior of its votes, summed over points.
    """

    caps_encoding: tf.Tensor
    objects: PointVotes
    votes: VoteExplanation
    caps_presence_prob: tf.Tensor
    caps_presence_soft: tf.Tensor
    mass_explained_by_capsule: tf.Tensor


class ConstellationEncoding(NamedTuple):
    """The objects of constellations: O capsules with V votes each.

    Attributes:
        prior_presence: [B, O], in [0, 1], of each capsule's most present vote.
        posterior_presence: [B, O], in [0, N], how many points each capsule explains.
        vote_pose: [B, O, V, 3, 3], where each point of an object should be, and how it is turned.
        vote_presence: [B, O, V], in [0, 1], whether it should be there.
    """

    prior_presence: tf.Tensor
    posterior_presence: tf.Tensor
    vote_pose: tf.Tensor
    vote_presence: tf.Tensor


@keras.saving.register_keras_serializable(package="stacked_capsules")
class ConstellationAutoencoder(TrainableModel):
    """Infers objects from points, and points from objects.

    Args:
        encoder: (points [B, N, 2], presence [B, N]) -> [B, O, d].
        decoder: The capsules, or the plain decoder to compare them with.
        n_classes: Number of classes of examples that the l2 sparsity losses assume.
        dynamic_l2_weight: Of the predicted part-to-object relations' norm.
        mixing_kl_weight: Of the divergence of the votes' mixing probabilities from the uniform distribution.
        sparsity_weight: Of the cross entropy between a capsule's presence and whether it wins several points.
        prior_sparsity_loss_type: "entropy", "kl" or "l2", of the capsules' presences.
        prior_within_example_sparsity_weight: Of few capsules in each example.
        prior_between_example_sparsity_weight: Of examples spread over the capsules.
        prior_within_example_constant: Number of active capsules that l2 aims at; 0: O / n_classes.
        posterior_sparsity_loss_type: The same for the share of points that each vote explains.
        posterior_within_example_sparsity_weight: See above.
        posterior_between_example_sparsity_weight: See above.
        capsule_presence: What the prior sparsity losses see: "binary" (is a vote likelier than the dummy? as
            published; these losses have no gradient then) or "soft" (the probability).
        posterior_points: Which points the posterior sparsity losses count: "all", as published, so that a
            capsule can also have its share of the points that are absent, or "present".
    """

    def __init__(
        self,
        encoder: SetTransformer,
        decoder: ConstellationCapsule | ConstellationDecoder,
        n_classes: int = 2,
        dynamic_l2_weight: float = 0.0,
        mixing_kl_weight: float = 0.0,
        sparsity_weight: float = 0.0,
        prior_sparsity_loss_type: str = "kl",
        prior_within_example_sparsity_weight: float = 0.0,
        prior_between_example_sparsity_weight: float = 0.0,
        prior_within_example_constant: float = 0.0,
        posterior_sparsity_loss_type: str = "kl",
        posterior_within_example_sparsity_weight: float = 0.0,
        posterior_between_example_sparsity_weight: float = 0.0,
        capsule_presence: str = "binary",
        posterior_points: str = "all",
        name: str = "constellation_autoencoder",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if capsule_presence not in ("binary", "soft"):
            raise UserError(f"capsule_presence: {capsule_presence!r} is not known, use binary or soft")
        if posterior_points not in ("all", "present"):
            raise UserError(f"posterior_points: {posterior_points!r} is not known, use all or present")
        self.encoder = encoder
        self.decoder = decoder
        self.n_classes = n_classes
        self.dynamic_l2_weight = dynamic_l2_weight
        self.mixing_kl_weight = mixing_kl_weight
        self.sparsity_weight = sparsity_weight
        self.prior_sparsity_loss_type = check_sparsity_type(prior_sparsity_loss_type)
        self.prior_within_example_sparsity_weight = prior_within_example_sparsity_weight
        self.prior_between_example_sparsity_weight = prior_between_example_sparsity_weight
        self.prior_within_example_constant = prior_within_example_constant
        self.posterior_sparsity_loss_type = check_sparsity_type(posterior_sparsity_loss_type)
        self.posterior_within_example_sparsity_weight = posterior_within_example_sparsity_weight
        self.posterior_between_example_sparsity_weight = posterior_between_example_sparsity_weight
        self.capsule_presence = capsule_presence
        self.posterior_points = posterior_points

    def build(self, input_shape=None):
        """Creates every weight; none depends on the number of points."""
        del input_shape
        points = (None, None, 2)
        self.encoder.build(points)
        self.decoder.build((None, self.encoder.n_outputs, self.encoder.n_output_dims))
        self.built = True

    def call(
        self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False, seed: Seed | int | None = None
    ) -> ConstellationOutputs:
        """Explains constellations.

        Args:
            inputs: Points [B, N, 2] and their presences [B, N], 0 or 1; points alone: all are present.
            training: Add noise, if there is a seed.
            seed: Seed of noise and dropout.
        """
        corners, presence = self._points(inputs)
        seed = Seed.of(seed)
        of_decoder, of_encoder = (None if seed is None else seed.fold(i) for i in (1, 2))
        encoding = self.encoder(corners, presence, training=training, seed=of_encoder)  # [B, O, d]
        objects, votes = self.decoder(encoding, corners, presence, training=training, seed=of_decoder)
        binary = self._per_capsule(votes.vote_presence)  # [B, O, V]
        soft = tf.reduce_max(self._per_capsule(objects.vote_presence_prob), 2)  # [B, O]
        mass = tf.reduce_sum(votes.posterior_mixing_probs, 1)  # [B, M]
        return ConstellationOutputs(
            caps_encoding=encoding,
            objects=objects,
            votes=votes,
            caps_presence_prob=soft if self.capsule_presence == "soft" else tf.reduce_max(binary, 2),
            caps_presence_soft=soft,
            mass_explained_by_capsule=tf.reduce_sum(self._per_capsule(mass), 2),
        )

    def encode(self, points: Any, presence: Any = None) -> ConstellationEncoding:
        """Infers the objects that points belong to, without noise.

        Args:
            points: array or tensor [B, N, 2].
            presence: [B, N], 0 or 1; None: all are present.

        Raises:
            UserError: they are something else.
        """
        outputs = self(checked_points(points, presence))
        shape = [-1, self.decoder.n_caps, self.decoder.n_votes]
        return ConstellationEncoding(
            prior_presence=outputs.caps_presence_soft,
            posterior_presence=outputs.mass_explained_by_capsule,
            vote_pose=tf.reshape(outputs.objects.transform, [*shape, 3, 3]),
            vote_presence=self._per_capsule(outputs.objects.vote_presence_prob),
        )

    def segment(self, points: Any, presence: Any = None) -> tf.Tensor:
        """Says which capsule explains each point best: int32 [B, N], from 0; -1: the point is absent.

        Args:
            points: array or tensor [B, N, 2].
            presence: [B, N], 0 or 1; None: all are present.

        Raises:
            UserError: they are something else.
        """
        points, presence = checked_points(points, presence)
        winner = self((points, presence)).votes.is_from_capsule  # [B, N]
        return tf.where(presence > 0, winner, -1)

    def reconstruct(self, points: Any, presence: Any = None) -> tf.Tensor:
        """Puts each point where the vote is that explains it best: [B, N, 2].

        Args:
            points: array or tensor [B, N, 2].
            presence: [B, N], 0 or 1; None: all are present.

        Raises:
            UserError: they are something else.
        """
        return self(checked_points(points, presence)).votes.winner

    def inputs_of(self, batch: Batch | Any) -> Any:
        """Picks points and presences out of a batch."""
        if not isinstance(batch, dict):
            return batch
        return (batch["corners"], batch["presence"]) if "presence" in batch else batch["corners"]

    def batch_of(self, inputs: Any, labels: tf.Tensor | None) -> Batch:
        """Makes a batch of points, presences and, as labels, the pattern of each point."""
        corners, presence = self._points(inputs)
        batch = {"corners": corners, "presence": presence}
        return batch if labels is None else {**batch, "pattern_id": tf.cast(labels, tf.int64)}

    def losses(
        self, batch: Batch, outputs: ConstellationOutputs, batch_sum: BatchSum = one_replica
    ) -> tuple[tf.Tensor, Metrics]:
        """Returns the loss and its terms; with `pattern_id` in the batch, the segmentation accuracy too."""
        _, presence = self._points(self.inputs_of(batch))
        objects, votes = outputs.objects, outputs.votes
        n_points = presence.shape[1]
        n_caps = self.decoder.n_caps

        won = tf.one_hot(votes.is_from_capsule, n_caps) * presence[..., tf.newaxis]  # [B, N, O]
        wins = tf.reduce_sum(won, 1)  # [B, O]
        activity = tf.nn.sigmoid_cross_entropy_with_logits(
            tf.cast(wins > 1, wins.dtype), objects.pres_logit_per_caps
        )  # [B, O]
        mixing_kl = tf.exp(votes.mixing_log_prob) * (votes.mixing_log_prob + math.log(n_points))  # [B, M + 1]
        # per vote, not per capsule, as published
        mixing_probs = votes.posterior_mixing_probs  # [B, N, M]
        if self.posterior_points == "present":
            mixing_probs *= presence[..., tf.newaxis]
        posterior = tf.reduce_sum(mixing_probs, 1) / n_points  # [B, M]
        prior = outputs.caps_presence_prob  # [B, O]
        per_example = {
            "dynamic_weights_l2": objects.dynamic_weights_l2,
            "log_prob": votes.log_prob,
            "mixing_kl": tf.reduce_sum(mixing_kl, 1),
            "sparsity_loss": tf.reduce_sum(activity * tf.cast(wins > 0, wins.dtype), 1),
            "mean_scale": tf.reduce_mean(objects.scale, 1),
            "posterior_within_sparsity_loss": within_example(
                self.posterior_sparsity_loss_type, posterior, self.n_classes
            ),
            "prior_within_sparsity_loss": within_example(
                self.prior_sparsity_loss_type, prior, self.n_classes, self.prior_within_example_constant
            ),
        }
        others = {"count": tf.ones_like(presence[:, 0]), "posterior": posterior, "prior": prior, "wins": wins}
        if "pattern_id" in batch:
            n_patterns = batch["pattern_presence"].shape[1] if "pattern_presence" in batch else None
            others["grouped"] = correctly_grouped(
                votes.is_from_capsule, batch["pattern_id"], presence, n_caps, n_patterns
            )
            others["present"] = tf.reduce_sum(presence, 1)
        totals = batch_totals({**per_example, **others}, batch_sum)

        count = totals["count"]  # [], size of the global batch
        metrics = {name: totals[name] / count for name in per_example}
        for kind in ("posterior", "prior"):
            loss_type = getattr(self, f"{kind}_sparsity_loss_type")
            metrics[f"{kind}_between_sparsity_loss"] = between_examples(
                loss_type, totals[kind], count, self.n_classes
            )
        for k, wins_of_k in enumerate(tf.unstack(totals["wins"] / count)):
            metrics[f"votes_per_capsule_{k}"] = wins_of_k
        if "grouped" in totals:
            metrics["segm_acc"] = tf.math.divide_no_nan(totals["grouped"], totals["present"])
        loss = weighted_sum(metrics, self._loss_weights())
        return loss, {"loss": loss, **metrics}

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), **arguments_of(self, ConstellationAutoencoder)}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the model and its parts."""
        return cls(**rebuilt_arguments(config))

    def _loss_weights(self):
        return {
            "log_prob": -1.0,
            "mixing_kl": self.mixing_kl_weight,
            "sparsity_loss": self.sparsity_weight,
            "dynamic_weights_l2": self.dynamic_l2_weight,
            "posterior_within_sparsity_loss": self.posterior_within_example_sparsity_weight,
            "posterior_between_sparsity_loss": -self.posterior_between_example_sparsity_weight,
            "prior_within_sparsity_loss": self.prior_within_example_sparsity_weight,
            "prior_between_sparsity_loss": -self.prior_between_example_sparsity_weight,
        }

    def _per_capsule(self, of_votes):
        return tf.reshape(of_votes, [-1, self.decoder.n_caps, self.decoder.n_votes])  # [B, O, V]

    @staticmethod
    def _points(inputs):
        corners, presence = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        corners = tf.convert_to_tensor(corners)
        if corners.shape.rank != 3 or corners.shape[2] != 2:
            raise UserError(f"constellation model: points must be [batch, points, 2], not {corners.shape}")
        if presence is None:
            return corners, tf.ones_like(corners[..., 0])
        return corners, tf.cast(presence, corners.dtype)
