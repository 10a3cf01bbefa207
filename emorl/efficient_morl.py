"""EfficientMORL: slots from a hierarchy of layers, refined in a few steps (Emami et al., ICML 2021)."""

from __future__ import annotations

import keras
import tensorflow as tf

from discovery import Batch, BatchSum, Metrics, Seed, UserError, one_replica
from emorl.configuration import EMORLConfig
from emorl.diagonal_gaussian import DiagonalGaussian, kl_divergence
from emorl.geco import GECO, MIN_BETA, GECOState, constraint, multiplier
from emorl.image_decoders import Decoding, make_image_decoder
from emorl.image_encoder import ImageEncoder
from emorl.inference_noise import SharedNoise
from emorl.inference_stages import EfficientMORLOutputs, Layer, Stage
from emorl.likelihoods import likelihood
from emorl.prior import ConditionalPrior, hierarchical_kl
from emorl.refinement import RefinementNetwork
from emorl.scene_model import SceneModel
from emorl.slot_inference import SlotInference


@keras.saving.register_keras_serializable(package="emorl")
class EfficientMORL(SceneModel):
    """Infers K slots from images, float32 [B, H, W, 3] in [0, 1].

    In training, noise comes from the caller's seed, and refinement is driven by the gradient of the global
    batch's mean loss. At inference, every image gets the same noise, from a fixed seed, and the gradient of
    its own loss, so that results do not depend on the batch.

    Args:
        config: the options.
        init_seed: seed of the initial weights.
        inference_seed: seed of the samples at inference if the caller gives none.
        **kwargs: Keras' model arguments.

    Raises:
        UserError: for an unknown decoder or likelihood, or a size that the decoder cannot render.
    """

    config_class = EMORLConfig

    def __init__(self, config: EMORLConfig, init_seed: int = 0, inference_seed: int = 0, **kwargs):
        super().__init__(config, init_seed, inference_seed, **kwargs)
        z = config.z_size
        start = (init_seed, config.init_gain)
        how = (init_seed, config.precision, config.init_gain)
        self.encoder = ImageEncoder(config.size, "xavier", *how, config.encoder_channels)
        self.slot_inference = SlotInference(z, config.stochastic_layers, config.use_DualGRU, *start)
        self.decoder = make_image_decoder(config.image_decoder, config.size, z, *how, config.decoder_channels)
        self.prior = ConditionalPrior(z, *start)
        self.refinement = RefinementNetwork(z, *start)
        self.likelihood = likelihood(config.image_likelihood)
        self.geco = GECO(
            target=config.geco_reconstruction_target * 3 * config.size**2,
            warm_start=config.geco_warm_start,
            alpha=config.geco_ema_alpha,
            beta_stepsize=config.geco_beta_stepsize,
            step_size_acceleration=config.geco_step_size_acceleration,
        )

    def build(self, input_shape=None):
        """Creates all weights; their shapes follow from the options."""
        del input_shape
        size = self.config.size
        self.encoder.build((None, size, size, 3))
        self.slot_inference.build((None, size * size, self.config.encoder_channels))
        for layer in (self.decoder, self.prior, self.refinement):
            layer.build((None, self.config.K, self.config.z_size))
        # All replicas compute the same values, from the global batch.
        state = {"shape": (), "trainable": False, "aggregation": "only_first_replica"}
        self.geco_C_ema = self.add_weight(name="geco_C_ema", initializer="zeros", **state)
        start = keras.initializers.Constant(MIN_BETA)
        self.geco_beta = self.add_weight(name="geco_beta", initializer=start, **state)

    def call(
        self,
        images: tf.Tensor,
        training: bool = False,
        seed: Seed | tf.Tensor | int | None = None,
        step: tf.Tensor | int | None = None,
        refinement_iters: int | None = None,
        kl_beta: float | None = None,
    ) -> EfficientMORLOutputs:
        """Infers slots, decodes them and refines them.

        EMORL, Eq. 7, refined parameters: lambda^(L,i) = lambda^(L,i-1) + delta lambda.
        EMORL, section 3.2, refinement loss: L^(L,i) = L_NLL + KL(q(z; lambda^(L,i)) || prior).
        EMORL, section 3.3, reversed prior++, the prior of the refinement loss: p(z^1 | z^2).

        Args:
            images: [B, H, W, 3], floats in [0, 1], or uint8.
            training: determines gradient and noise; see the class.
            seed: of the noise; training needs one.
            step: training step, which determines whether GECO weights the likelihood; None: it does.
            refinement_iters: I; by default, the configuration's.
            kl_beta: weight of the KL; by default, the configuration's.

        Returns:
            Posteriors, samples and decodings of every layer and stage.

        Raises:
            UserError: for images of another shape or type, and for training without a seed.
        """
        batch = images.shape[0] or tf.shape(images)[0]
        if training:
            if seed is None:
                raise UserError("EfficientMORL samples its posteriors: training=True needs a seed.")
            noise = Seed.of(seed)
            scale = 1.0 / tf.cast(batch * getattr(noise, "n_replicas", 1), images.dtype)
        else:
            noise = SharedNoise.of(self.inference_seed if seed is None else seed)
            scale = 1.0
        shape = [batch, self.config.K, self.config.z_size]

        def draw(i):
            return tf.cast(noise.fold(i).normal(shape), images.dtype)  # [B, K, z]

        kl_beta = self.config.kl_beta_init if kl_beta is None else kl_beta
        iterations = self.config.refinement_iters if refinement_iters is None else refinement_iters
        inferred = self.slot_inference(self.encoder(2.0 * images - 1.0), draw=draw)
        n_layers = self.config.stochastic_layers
        first_draw = n_layers + max(n_layers, 1)  # of refinement, after 1 + L + (L - 1) others

        def loss_of(stage):
            nll = self._nll_weight(step, kl_beta) * stage.nll  # [B]
            return scale * tf.reduce_sum(nll + kl_beta * stage.kl)  # []

        parameters = inferred.parameters[-1]  # [B, K, 2z]
        state = tf.zeros(shape, images.dtype)  # [B, K, z]
        stages, deltas, prior, gradient = [], [], None, None
        for i in range(iterations + 1):
            if i > 0:
                delta, state = self.refinement(parameters, gradient, state)  # [B, K, 2z], [B, K, z]
                parameters = parameters + delta
                deltas.append(tf.reduce_mean(tf.norm(tf.stop_gradient(delta), axis=-1), -1))  # [B]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(parameters)
                if i == 0:
                    stage, prior = self._first_stage(
                        images, [*inferred.parameters[:-1], parameters], draw, training
                    )
                else:
                    noise_i = draw(first_draw + i - 1)  # [B, K, z]
                    stage = self._refined_stage(images, parameters, noise_i, prior, training)
                loss = loss_of(stage)
            if i < iterations:
                gradient = tape.gradient(loss, parameters)  # [B, K, 2z]
            stages.append(stage)
        return EfficientMORLOutputs(
            self._describe_layers(inferred, stages[0].sample),
            tuple(stages),
            tf.stack(deltas, -1) if deltas else tf.zeros([batch, 0], images.dtype),
        )

    def posterior(
        self,
        images: tf.Tensor,
        seed: Seed | tf.Tensor | int | None = None,
        refinement_iters: int | None = None,
    ) -> DiagonalGaussian:
        """Returns the final posterior of the slots in images [B, H, W, 3]; each field is [B, K, z]."""
        outputs = self(images, training=False, seed=seed, refinement_iters=refinement_iters)
        return outputs.stages[-1].posterior

    def decode_layers(self, outputs: EfficientMORLOutputs) -> tuple[Decoding, ...]:
        """Decodes the sample of each stochastic layer, for plots; a forward pass does not."""
        return tuple(self.decoder(layer.sample) for layer in outputs.layers)

    def losses(
        self,
        batch: Batch,
        outputs: EfficientMORLOutputs,
        batch_sum: BatchSum = one_replica,
        step: tf.Tensor | int | None = None,
        kl_beta: float | None = None,
    ) -> tuple[tf.Tensor, Metrics]:
        """Returns the loss over all stages; earlier ones weigh more, stage i by (I + 3 - i) / (I + 1).

        EMORL, Eq. 5, negative ELBO before refinement: L^(L,0) = L_NLL + KL(q(z^1:L | x) || p(z^1:L)).
        EMORL, Eq. 8, training loss, ELBO and every refinement loss:
            L = sum_(i=0..I) (I + 3 - i) / (I + 1) L^(L,i).

        Args:
            batch: ignored; the outputs hold the likelihoods.
            outputs: of `call`.
            batch_sum: sums over replicas.
            step: training step, which determines whether GECO is active; None: it is.
            kl_beta: weight of the KL; by default, the configuration's.

        Returns:
            The loss, and as metrics `loss`, the last stage's `nll` and `kl`, `norm_delta_lamda_<i>` of each
            refinement and, with GECO, its state before the step: `geco_C_ema`, `geco_beta`.
        """
        del batch
        kl_beta = self.config.kl_beta_init if kl_beta is None else kl_beta
        n_stages = len(outputs.stages)
        rows = [stage.nll for stage in outputs.stages] + [stage.kl for stage in outputs.stages]
        rows += [*tf.unstack(outputs.deltas, n_stages - 1, axis=1), tf.ones_like(rows[0])]
        sums = batch_sum(tf.reduce_sum(tf.stack(rows), axis=1))  # [(I + 1) + (I + 1) + I + 1]
        means = tf.unstack(sums[:-1] / sums[-1])
        nll, kl, deltas = means[:n_stages], means[n_stages : 2 * n_stages], means[2 * n_stages :]
        loss = 0.0
        for i in range(n_stages):
            loss += (n_stages + 2 - i) / n_stages * (self._nll_term(nll[i], step, kl_beta) + kl_beta * kl[i])
        metrics = {"loss": loss, "nll": nll[-1], "kl": kl[-1]}
        metrics |= {f"norm_delta_lamda_{i}": delta for i, delta in enumerate(deltas)}
        if self.config.use_geco:
            metrics |= {f"geco_{name}": value for name, value in self._geco_state()._asdict().items()}
        return loss, metrics

    def loss_and_metrics(
        self,
        batch: Batch,
        step: tf.Tensor,
        seed: Seed | None,
        batch_sum: BatchSum = one_replica,
        training: bool = True,
        refinement_iters: int | None = None,
        kl_beta: float | None = None,
    ) -> tuple[tf.Tensor, Metrics]:
        """Computes one forward pass, with the curriculum's number of refinements; see `call` and `losses`."""
        outputs = self(
            self.inputs_of(batch),
            training=training,
            seed=seed,
            step=step,
            refinement_iters=refinement_iters,
            kl_beta=kl_beta,
        )
        return self.losses(batch, outputs, batch_sum, step=step, kl_beta=kl_beta)

    def after_step(self, metrics: Metrics, step: tf.Tensor) -> list[tuple[keras.Variable, tf.Tensor]]:
        """Updates GECO's state with the global batch's negative log-likelihood."""
        if not self.config.use_geco:
            return []
        state = self.geco.next_state(self._geco_state(), metrics["nll"], step)
        return [(self.geco_C_ema, state.C_ema), (self.geco_beta, state.beta)]

    def _first_stage(self, images, parameters, draw, training):
        posteriors = [DiagonalGaussian.of_parameters(p) for p in parameters]
        sample = posteriors[-1].sample(draw(self.config.stochastic_layers))  # [B, K, z]
        decoding, nll = self._decode_and_score(images, sample, training)
        if self.config.stochastic_layers == 0:
            standard = DiagonalGaussian.standard_like(posteriors[-1])
            return Stage(posteriors[-1], sample, decoding, nll, tf.zeros_like(nll)), standard
        kl, last_prior = hierarchical_kl(posteriors, self.prior, draw, self.config.bottom_up_prior)
        return Stage(posteriors[-1], sample, decoding, nll, kl), last_prior

    def _refined_stage(self, images, parameters, noise, prior, training):
        posterior = DiagonalGaussian.of_parameters(parameters)
        sample = posterior.sample(noise)  # [B, K, z]
        decoding, nll = self._decode_and_score(images, sample, training)
        if not self.config.reverse_prior_plusplus:
            prior = DiagonalGaussian.standard_like(posterior)
        kl = tf.reduce_sum(kl_divergence(posterior, prior), axis=1)  # [B]
        return Stage(posterior, sample, decoding, nll, kl)

    def _decode_and_score(self, images, slots, training):
        def nll_of(decoding):
            return self.likelihood(images, decoding.means, decoding.mask_log_probs, self.config.log_scale)

        return self.decoder.decode_and_score(slots, nll_of, early_gradient=training)

    def _describe_layers(self, inferred, last_sample):
        image = [-1, self.config.size, self.config.size, self.config.K]
        return tuple(
            Layer(
                tf.transpose(tf.reshape(attention, image), [0, 3, 1, 2]),  # [B, K, H, W]
                DiagonalGaussian.of_parameters(parameters),
                sample,
            )
            for attention, parameters, sample in zip(
                inferred.attentions, inferred.parameters, (*inferred.samples, last_sample), strict=False
            )
        )

    def _geco_state(self):
        return GECOState(tf.convert_to_tensor(self.geco_C_ema), tf.convert_to_tensor(self.geco_beta))

    def _geco_active(self, step, kl_beta):
        if not self.config.use_geco or kl_beta == 0:
            return False
        return True if step is None else self.geco.active(step)

    def _nll_weight(self, step, kl_beta):
        return tf.where(self._geco_active(step, kl_beta), multiplier(self._geco_state().beta), 1.0)

    def _nll_term(self, nll, step, kl_beta):
        return tf.where(self._geco_active(step, kl_beta), constraint(self._geco_state(), nll), nll)
