"""EfficientMORL's outputs: its stochastic layers, and the stages of refinement."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from emorl.diagonal_gaussian import DiagonalGaussian
from emorl.image_decoders import Decoding


class Layer(NamedTuple):
    """One stochastic layer.

    Attributes:
        attention: float32 [B, K, H, W], softmax over slots + 1e-8.
        posterior: q(z | sample of the layer below, image), each field [B, K, z].
        sample: float32 [B, K, z].
    """

    attention: tf.Tensor
    posterior: DiagonalGaussian
    sample: tf.Tensor


class Stage(NamedTuple):
    """The last layer's posterior, as inferred (stage 0) or after i refinements (stage i).

    Attributes:
        posterior: each field [B, K, z].
        sample: float32 [B, K, z].
        decoding: of the sample.
        nll: float32 [B], negative log-likelihood without its constant; can be negative.
        kl: float32 [B]; at stage 0, of all layers, later, from this posterior to the prior in use.
    """

    posterior: DiagonalGaussian
    sample: tf.Tensor
    decoding: Decoding
    nll: tf.Tensor
    kl: tf.Tensor


class EfficientMORLOutputs(NamedTuple):
    """Everything that a forward pass infers.

    Attributes:
        layers: the L stochastic layers, bottom up.
        stages: stage 0, then one for each of the I refinements.
        deltas: float32 [B, I], norm of each refinement's change of the parameters, mean over slots.
    """

    layers: tuple[Layer, ...]
    stages: tuple[Stage, ...]
    deltas: tf.Tensor

    @property
    def slots(self) -> tf.Tensor:
        """The sample of the final posterior, [B, K, z]."""
        return self.stages[-1].sample

    @property
    def posterior(self) -> DiagonalGaussian:
        """The final posterior of the slots, each field [B, K, z]."""
        return self.stages[-1].posterior

    @property
    def kl(self) -> tf.Tensor:
        """Of the final posterior, [B]."""
        return self.stages[-1].kl

    @property
    def decoding(self) -> Decoding:
        """The decoding of the final slots."""
        return self.stages[-1].decoding
