"""Hierarchical priors, with which the posteriors of the stochastic layers are compared."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from emorl import initializers
from emorl.diagonal_gaussian import DiagonalGaussian, kl_divergence
from emorl.slot_inference import Draw

HIDDEN = 128


@keras.saving.register_keras_serializable(package="emorl")
class ConditionalPrior(keras.layers.Layer):
    """p(z of one layer | z of its neighbor), by an MLP for each slot separately.

    Args:
        z_size: z, size of a slot.
        init_seed: seed of the initial weights.
        init_gain: gain of the Xavier-normal initial weights.
        name: name of the layer.
        **kwargs: Keras' layer arguments.
    """

    def __init__(
        self,
        z_size: int,
        init_seed: int = 0,
        init_gain: float = initializers.GAIN,
        name="prior",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.z_size, self.init_seed, self.init_gain = z_size, init_seed, init_gain
        self.hidden = self._dense("hidden", HIDDEN, "elu")
        self.to_mean = self._dense("mean", z_size)
        self.to_variance = self._dense("variance", z_size)

    def build(self, input_shape=None):
        """Creates the weights for slots [B, K, z]."""
        self.hidden.build((None, None, self.z_size))
        self.to_mean.build((None, None, HIDDEN))
        self.to_variance.build((None, None, HIDDEN))

    def call(self, slots: tf.Tensor) -> DiagonalGaussian:
        """Returns the prior given slots [B, K, z].

        EMORL, Eq. 2, hierarchical prior of one layer: p(z^l | z^(l-1)) = N(mu(z^(l-1)), sigma(z^(l-1))^2).
        """
        hidden = self.hidden(slots)  # [B, K, 128]
        parameters = tf.concat([self.to_mean(hidden), self.to_variance(hidden)], -1)  # [B, K, 2z]
        return DiagonalGaussian.of_parameters(parameters)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"z_size": self.z_size, "init_seed": self.init_seed, "init_gain": self.init_gain}
        return {**super().get_config(), **own}

    def _dense(self, name, units, activation=None):
        rule = initializers.xavier_normal(self.init_seed, f"{self.name}/{name}", self.init_gain)
        return keras.layers.Dense(units, activation, name=name, **rule)


def hierarchical_kl(
    posteriors: tuple[DiagonalGaussian, ...], conditional: ConditionalPrior, draw: Draw, bottom_up: bool
) -> tuple[tf.Tensor, DiagonalGaussian]:
    """KL from all layers' posteriors to their priors, each conditional on a fresh sample of its neighbor.

    EMORL, Eq. 4, KL to the hierarchical prior, bottom-up:
        KL(q(z^1) || N(0, 1)) + sum_(l>1) KL(q(z^l) || p(z^l | z^(l-1))).
    EMORL, section 3.3, KL to the hierarchical prior, reversed prior:
        KL(q(z^L) || N(0, 1)) + sum_(l<L) KL(q(z^l) || p(z^l | z^(l+1))).

    Reversed (EMORL, section 3.3): the last layer's prior is N(0, 1), layer l's is conditional on layer l + 1.
    Bottom-up: the first layer's is N(0, 1), layer l's is conditional on layer l - 1.

    Args:
        posteriors: of the L layers, at least one, first layer first; each [B, K, z].
        conditional: the prior given a neighbor's sample.
        draw: i -> standard normal [B, K, z]; called with L + 1 .. 2L - 1.
        bottom_up: which of the two.

    Returns:
        KL [B], summed over layers, slots and dimensions, and the prior of the layer visited last: p(z1 | z2)
        in the reversed hierarchy.
    """
    n_layers = len(posteriors)
    kl = 0.0
    ordered = posteriors if bottom_up else posteriors[::-1]
    for i, posterior in enumerate(ordered):
        if i == 0:
            prior = DiagonalGaussian.standard_like(posterior)
        else:
            prior = conditional(ordered[i - 1].sample(draw(n_layers + i)))  # [B, K, z]
        kl += tf.reduce_sum(kl_divergence(posterior, prior), axis=1)  # [B]
    return kl, prior
