"""GECO: reconstruction as a constraint with a learned Lagrange multiplier (Rezende and Viola, 2018)."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

MIN_BETA = 0.55


class GECOState(NamedTuple):
    """The state that GECO carries from step to step.

    Attributes:
        C_ema: float32 [], moving average of the target minus the negative log-likelihood.
        beta: float32 [], at least 0.55; its softplus is the multiplier.
    """

    C_ema: tf.Tensor
    beta: tf.Tensor


class GECO(NamedTuple):
    """GECO's constants.

    Attributes:
        target: target negative log-likelihood per image.
        warm_start: first step at which the constraint replaces the plain loss.
        alpha: weight of the past in the moving average.
        beta_stepsize: step size of beta.
        step_size_acceleration: factor on that step size while the target is beaten.
    """

    target: float
    warm_start: int = 1000
    alpha: float = 0.99
    beta_stepsize: float = 1e-6
    step_size_acceleration: float = 1.0

    def active(self, step: tf.Tensor | int) -> tf.Tensor:
        """Whether the constraint is active, which includes the step after which the average starts."""
        return tf.cast(step, tf.int64) >= self.warm_start

    def next_state(self, state: GECOState, nll: tf.Tensor, step: tf.Tensor | int) -> GECOState:
        """Returns the state after training step `step`, whose negative log-likelihood was `nll`.

        EMORL, appendix F.2, GECO, the multiplier's step:
            zeta (here: beta) <- max(0.55, zeta - 1e-6 C_EMA), C_EMA the moving average of C - L_NLL.

        Unchanged before the warm start, at which the average starts; average and beta move after it.
        """
        step = tf.cast(step, tf.int64)
        gap = self.target - nll  # []
        C_ema = self.alpha * state.C_ema + (1.0 - self.alpha) * gap
        acceleration = tf.where(C_ema > 0, tf.cast(self.step_size_acceleration, C_ema.dtype), 1.0)
        beta = tf.maximum(MIN_BETA, state.beta - self.beta_stepsize * acceleration * C_ema)
        started = tf.where(step == self.warm_start, gap, state.C_ema)
        moving = step > self.warm_start
        return GECOState(tf.where(moving, C_ema, started), tf.where(moving, beta, state.beta))


def multiplier(beta: tf.Tensor) -> tf.Tensor:
    """Returns the weight of the negative log-likelihood in the loss; no gradient flows to beta."""
    return tf.stop_gradient(tf.math.softplus(beta))


def constraint(state: GECOState, nll: tf.Tensor) -> tf.Tensor:
    """Returns what replaces `nll` in the loss, with the value of minus multiplier times C_ema.

    EMORL, appendix F.2, GECO, its term in place of L_NLL:
        softplus(zeta) (L_NLL - C), with -C_EMA as the value of the bracket.

    Its gradient is that of multiplier times `nll`.
    """
    return multiplier(state.beta) * (nll - tf.stop_gradient(nll) - state.C_ema)
