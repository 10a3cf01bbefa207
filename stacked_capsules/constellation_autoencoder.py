"""The constellation autoencoder: objects in arbitrary poses explain points (SCAE, section 2.1)."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from discovery import Batch, BatchSum, Metrics, Seed, TrainableModel, UserError, one_replica
from discovery.checked_arrays import checked_patterns, checked_points
from stacked_capsules.batch_statistics import batch_totals, weighted_sum
from stacked_capsules.configuration import ConstellationConfig
from stacked_capsules.constellation_capsule import ConstellationCapsule, PointVotes
from stacked_capsules.constellation_decoder import ConstellationDecoder
from stacked_capsules.object_capsules import CapsuleLayer
from stacked_capsules.older_keras_files import constellation_options
from stacked_capsules.segmentation_metric import correctly_grouped
from stacked_capsules.set_transformer import SetTransformer
from stacked_capsules.sparsity import between_examples, within_example
from stacked_capsules.vote_likelihood import OrderInvariantVoteLikelihood, VoteExplanation

#: Fixed in the original: kinds of sparsity losses, and the number of classes that l2 assumes.
_PRIOR_LOSS, _POSTERIOR_LOSS, _N_CLASSES = "l2", "entropy", 2


class ConstellationOutputs(NamedTuple):
    """What the model infers from constellations of N points: O capsules, which cast M votes in total.

    Attributes:
        caps_encoding: [B, O, d], the encoder's output.
        objects: The capsules' votes.
        votes: How the votes explain the points.
        caps_presence_prob: [B, O], in [0, 1], presence of each capsule as the prior sparsity losses see it.
        caps_presence_soft: [B, O], in [0, 1], presence of each capsule's most present vote.
        mass_explained_by_capsule: [B, O], in [0, N], posterior probability of its votes, summed over points.
    """

    caps_encoding: tf.Tensor
    objects: PointVotes
    votes: VoteExplanation
    caps_presence_prob: tf.Tensor
    caps_presence_soft: tf.Tensor
    mass_explained_by_capsule: tf.Tensor


class ConstellationEncoding(NamedTuple):
    """The objects inferred from constellations: O capsules with V votes each.

    Attributes:
        prior_presence: [B, O], in [0, 1], of each capsule's most present vote.
        posterior_presence: [B, O], in [0, N], how many points each capsule explains.
        vote_pose: [B, O, V, 3, 3], predicted position and orientation of each point of an object.
        vote_presence: [B, O, V], in [0, 1], predicted presence of that point.
    """

    prior_presence: tf.Tensor
    posterior_presence: tf.Tensor
    vote_pose: tf.Tensor
    vote_presence: tf.Tensor


@keras.saving.register_keras_serializable(package="stacked_capsules")
class ConstellationAutoencoder(TrainableModel):
    """Infers objects from points, and points from objects.

    Args:
        config: The options.
    """

    def __init__(self, config: ConstellationConfig, name: str = "constellation_autoencoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.config = config
        self.encoder = SetTransformer(
            n_layers=4,
            n_heads=4,
            n_dims=128,
            n_output_dims=32,
            n_outputs=config.n_caps,
            layer_norm=True,
            presence_mask=config.presence_mask,
            skip_absent=config.skip_absent_points,
            n_lanes=config.encoder_lanes,
            name="encoder",
        )
        noise = {"noise_scale": config.presence_noise, "eval_noise": config.eval_noise}
        if config.decoder == "plain":
            self.decoder = ConstellationDecoder(config.n_caps, config.n_votes, **noise, name="decoder")
        else:
            capsules = CapsuleLayer(
                n_caps=config.n_caps,
                n_votes=config.n_votes,
                n_caps_params=config.n_caps_params,
                learn_vote_scale=True,
                noise_type="uniform",
                **noise,
                name="capsules",
            )
            likelihood = OrderInvariantVoteLikelihood(config.n_votes, name="likelihood")
            self.decoder = ConstellationCapsule(capsules, likelihood, name="decoder")

    def build(self, input_shape=None):
        """Creates all weights; none depends on the number of points."""
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
            inputs: Points [B, N, 2] and their presences [B, N], 0 or 1; points alone count as present.
            training: Add noise, if there is a seed.
            seed: Seed of noise and dropout.

        Raises:
            UserError: points or presences are something else.
        """
        corners, presence = inputs
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
            caps_presence_prob=soft if self.config.capsule_presence == "soft" else tf.reduce_max(binary, 2),
            caps_presence_soft=soft,
            mass_explained_by_capsule=tf.reduce_sum(self._per_capsule(mass), 2),
        )

    def encode(self, points: Any, presence: Any = None) -> ConstellationEncoding:
        """Infers the objects that points belong to, without noise.

        Args:
            points: array or tensor [B, N, 2].
            presence: [B, N], 0 or 1; None: all are present.

        Raises:
            UserError: the arguments are not as described.
        """
        outputs = self((points, presence))
        shape = [-1, self.decoder.n_caps, self.decoder.n_votes]
        return ConstellationEncoding(
            prior_presence=outputs.caps_presence_soft,
            posterior_presence=outputs.mass_explained_by_capsule,
            vote_pose=tf.reshape(outputs.objects.transform, [*shape, 3, 3]),
            vote_presence=self._per_capsule(outputs.objects.vote_presence_prob),
        )

    def segment(self, points: Any, presence: Any = None) -> tf.Tensor:
        """Returns the capsule that explains each point best: int32 [B, N], from 0; -1 for absent points.

        SCAE, section 2.1, the object that a point is assigned to: argmax_k max_n a_k a_kn p(x_m | k, n).

        Args:
            points: array or tensor [B, N, 2].
            presence: [B, N], 0 or 1; None: all are present.

        Raises:
            UserError: the arguments are not as described.
        """
        points, presence = self.checked_inputs((points, presence))
        winner = self((points, presence)).votes.is_from_capsule  # [B, N]
        return tf.where(presence > 0, winner, -1)

    def reconstruct(self, points: Any, presence: Any = None) -> tf.Tensor:
        """Replaces each point by the vote that explains it best: [B, N, 2].

        Args:
            points: array or tensor [B, N, 2].
            presence: [B, N], 0 or 1; None: all are present.

        Raises:
            UserError: the arguments are not as described.
        """
        return self((points, presence)).votes.winner

    def inputs_of(self, batch: Batch | Any) -> Any:
        """Extracts points and presences from a batch."""
        if not isinstance(batch, dict):
            return batch
        return (batch["corners"], batch["presence"]) if "presence" in batch else batch["corners"]

    def batch_of(self, inputs: Any, labels: tf.Tensor | None) -> Batch:
        """Makes a batch of points, presences and, as labels, the pattern of each point."""
        points, presence = _points_and_presence(inputs)
        batch = {"corners": points, "presence": presence, "pattern_id": labels}
        return {name: values for name, values in batch.items() if values is not None}

    def checked_inputs(self, inputs: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Turns points, or points and presences, into floats [B, N, 2] and [B, N]."""
        points, presence = _points_and_presence(inputs)
        return checked_points(points, presence, self.compute_dtype)

    def checked_batch(self, batch: Batch) -> Batch:
        """Turns points and presences as above, and patterns into int64 [B, N]."""
        corners, presence = self.checked_inputs(self.inputs_of(batch))
        checked = {**batch, "corners": corners, "presence": presence}
        if "pattern_id" in batch:
            checked["pattern_id"] = checked_patterns(batch["pattern_id"], presence)
        return checked

    def losses(
        self, batch: Batch, outputs: ConstellationOutputs, batch_sum: BatchSum = one_replica
    ) -> tuple[tf.Tensor, Metrics]:
        """Returns the loss and its terms; with `pattern_id` in the batch, the segmentation accuracy too.

        SCAE, section 2.1, loss of the constellation model:
            L = -log p(x_1:M) + L_prior + L_posterior, each term weighted.
        """
        _, presence = self.checked_inputs(self.inputs_of(batch))
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
        if self.config.posterior_points == "present":
            mixing_probs *= presence[..., tf.newaxis]
        posterior = tf.reduce_sum(mixing_probs, 1) / n_points  # [B, M]
        prior = outputs.caps_presence_prob  # [B, O]
        per_example = {
            "dynamic_weights_l2": objects.dynamic_weights_l2,
            "log_prob": votes.log_prob,
            "mixing_kl": tf.reduce_sum(mixing_kl, 1),
            "sparsity_loss": tf.reduce_sum(activity * tf.cast(wins > 0, wins.dtype), 1),
            "mean_scale": tf.reduce_mean(objects.scale, 1),
            "posterior_within_sparsity_loss": within_example(_POSTERIOR_LOSS, posterior, _N_CLASSES),
            "prior_within_sparsity_loss": within_example(
                _PRIOR_LOSS, prior, _N_CLASSES, self.config.prior_within_example_constant
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
        for kind, loss_type in (("posterior", _POSTERIOR_LOSS), ("prior", _PRIOR_LOSS)):
            metrics[f"{kind}_between_sparsity_loss"] = between_examples(
                loss_type, totals[kind], count, _N_CLASSES
            )
        for k, wins_of_k in enumerate(tf.unstack(totals["wins"] / count)):
            metrics[f"votes_per_capsule_{k}"] = wins_of_k
        if "grouped" in totals:
            metrics["segm_acc"] = tf.math.divide_no_nan(totals["grouped"], totals["present"])
        loss = weighted_sum(metrics, self.config.loss_weights())
        return loss, {"loss": loss, **metrics}

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "config": asdict(self.config)}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the model, also from older files, which name its layers one by one."""
        if "config" in config:
            return cls(**{**config, "config": ConstellationConfig(**config["config"])})
        return cls(constellation_options(config), name=config["name"])

    def _per_capsule(self, of_votes):
        return tf.reshape(of_votes, [-1, self.decoder.n_caps, self.decoder.n_votes])  # [B, O, V]


def _points_and_presence(inputs):
    """Splits a pair; what is no pair, a list of numbers too, is points, all of them present."""
    if isinstance(inputs, tuple) or (isinstance(inputs, list) and any(hasattr(i, "shape") for i in inputs)):
        if len(inputs) != 2:
            raise UserError(
                f"points: give one array, or a pair with their presence, not {len(inputs)} arrays"
            )
        return inputs
    return inputs, None
