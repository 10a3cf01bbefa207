"""Bottom-up inference of slots through a hierarchy of stochastic layers (EMORL, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from emorl import initializers
from emorl.attention import slot_attention
from emorl.diagonal_gaussian import DiagonalGaussian
from emorl.dual_gru import DualGRU, GRUCell

Draw = Callable[[int], tf.Tensor]


class SlotInferenceOutputs(NamedTuple):
    """The outputs of the L layers.

    Attributes:
        parameters: L tensors [B, K, 2z], each layer's means and variance logits; if L is 0, one tensor, the
            initial posterior.
        attentions: L tensors [B, N, K], softmax over slots + 1e-8.
        samples: the L - 1 samples [B, K, z] of all layers but the last, which is left to refinement.
    """

    parameters: tuple[tf.Tensor, ...]
    attentions: tuple[tf.Tensor, ...]
    samples: tuple[tf.Tensor, ...]


@keras.saving.register_keras_serializable(package="emorl")
class SlotInference(keras.layers.Layer):
    """Layer l attends with a sample from layer l - 1 and updates the posterior; all layers share weights.

    Args:
        z_size: z, size of a slot.
        layers: L, number of stochastic layers, at least 0.
        use_dual_gru: use a DualGRU, otherwise one plain GRU over means and variances together.
        init_seed: seed of the initial weights.
        init_gain: gain of the Xavier-normal initial weights.
        name: name of the layer.
        **kwargs: Keras' layer arguments.
    """

    def __init__(
        self,
        z_size: int,
        layers: int = 3,
        use_dual_gru: bool = True,
        init_seed: int = 0,
        init_gain: float = initializers.GAIN,
        name="slot_inference",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.z_size, self.n_layers = z_size, layers
        self.use_dual_gru, self.init_seed, self.init_gain = use_dual_gru, init_seed, init_gain
        self.norm_slots = keras.layers.LayerNormalization(epsilon=1e-5, name="norm_slots")
        self.norm_mean = keras.layers.LayerNormalization(epsilon=1e-5, name="norm_mean")
        self.norm_variance = keras.layers.LayerNormalization(epsilon=1e-5, name="norm_variance")
        self.to_q = self._dense("to_q", z_size, use_bias=False)
        self.to_k = self._dense("to_k", z_size, use_bias=False)
        self.to_v = self._dense("to_v", z_size, use_bias=False)
        if use_dual_gru:
            self.gru = DualGRU(z_size, init_seed, name="dual_gru")
        else:
            self.gru = GRUCell(2 * z_size, "uniform", init_seed, name="gru")
            self.project_update = self._dense("project_update", 2 * z_size)
        self.mlp_mean = [
            self._dense("mlp_mean_0", 2 * z_size, "relu"),
            self._dense("mlp_mean_1", z_size),
        ]
        self.mlp_variance = [
            self._dense("mlp_variance_0", 2 * z_size, "relu"),
            self._dense("mlp_variance_1", z_size),
        ]

    def build(self, input_shape):
        """Creates the weights for features [B, N, C]."""
        z = self.z_size
        self.initial_posterior = self.add_weight(
            name="initial_posterior", shape=(1, 2 * z), initializer=standard_posterior
        )
        slots = (None, None, z)
        for layer in (self.norm_slots, self.norm_mean, self.norm_variance, self.to_q):
            layer.build(slots)
        self.to_k.build(input_shape)
        self.to_v.build(input_shape)
        if not self.use_dual_gru:
            self.project_update.build(slots)
        self.gru.build((None, None, 2 * z))
        for mlp in (self.mlp_mean, self.mlp_variance):
            mlp[0].build(slots)
            mlp[1].build((None, None, 2 * z))

    def call(self, features: tf.Tensor, draw: Draw) -> SlotInferenceOutputs:
        """Infers slots from features [B, N, C].

        EMORL, Eq. 1, bottom-up inference through L layers: q(z^1:L | x, z^0) = prod_l q(z^l | x, z^(l-1)).

        Args:
            features: one vector per pixel.
            draw: i -> draw number i of the forward pass, standard normal [B, K, z]; called with 0, for the
                initial posterior, and 1 .. L - 1.

        Returns:
            The layers' posteriors, attention and samples.
        """
        noise = draw(0)  # [B, K, z]
        initial = self.initial_posterior + tf.zeros_like(noise[..., :1])  # [B, K, 2z]
        if self.n_layers == 0:
            return SlotInferenceOutputs((initial,), (), ())
        keys, values = self.to_k(features), self.to_v(features)  # [B, N, z]
        parameters, attentions, samples = [initial], [], []
        slots = DiagonalGaussian.of_parameters(initial).sample(noise)  # [B, K, z]
        for layer in range(self.n_layers):
            if layer > 0:
                slots = DiagonalGaussian.of_parameters(parameters[-1]).sample(draw(layer))  # [B, K, z]
                samples.append(slots)
            updated, attention = self.layer(slots, parameters[-1], keys, values)
            parameters.append(updated)
            attentions.append(attention)
        return SlotInferenceOutputs(tuple(parameters[1:]), tuple(attentions), tuple(samples))

    def layer(
        self, slots: tf.Tensor, parameters: tf.Tensor, keys: tf.Tensor, values: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Applies one stochastic layer: attention, recurrence, and residual MLPs for means and variances.

        EMORL, section 3.1, posterior of one layer:
            (mu^l, sigma^l) = DualGRU([Theta; Theta], (mu^(l-1), sigma^(l-1))), plus an MLP of each.

        Args:
            slots: [B, K, z], sample of the layer below.
            parameters: [B, K, 2z], posterior of the layer below.
            keys: [B, N, z].
            values: [B, N, z].

        Returns:
            Posterior parameters [B, K, 2z] and attention [B, N, K].
        """
        queries = self.to_q(self.norm_slots(slots)) * self.z_size**-0.5  # [B, K, z]
        updates, attention = slot_attention(queries, keys, values)  # [B, K, z], [B, N, K]
        both = tf.concat([updates, updates], -1) if self.use_dual_gru else self.project_update(updates)
        state = self.gru(both, parameters)  # [B, K, 2z]
        mean, variance = tf.split(state, 2, axis=-1)  # each [B, K, z]
        mean = mean + self.mlp_mean[1](self.mlp_mean[0](self.norm_mean(mean)))
        variance = variance + self.mlp_variance[1](self.mlp_variance[0](self.norm_variance(variance)))
        return tf.concat([mean, variance], -1), attention

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "z_size": self.z_size,
            "layers": self.n_layers,
            "use_dual_gru": self.use_dual_gru,
            "init_seed": self.init_seed,
            "init_gain": self.init_gain,
        }
        return {**super().get_config(), **own}

    def _dense(self, name, units, activation=None, use_bias=True):
        rule = initializers.xavier_normal(self.init_seed, f"{self.name}/{name}", self.init_gain)
        return keras.layers.Dense(units, activation, use_bias=use_bias, name=name, **rule)


@keras.saving.register_keras_serializable(package="emorl")
def standard_posterior(shape, dtype=None) -> tf.Tensor:
    """Returns initial parameters of a posterior, [1, 2z]: means 0, variance logits 1."""
    rows, columns = shape
    half = (rows, columns // 2)
    return tf.concat([tf.zeros(half, dtype), tf.ones(half, dtype)], -1)  # [1, 2z]
