"""Scenes of colored squares, a model that sees them perfectly, and data sources of arrays."""

import types

import numpy as np
import tensorflow as tf

from discovery import DataSource
from emorl.diagonal_gaussian import DiagonalGaussian
from emorl.image_decoders import Decoding
from emorl.inference_stages import EfficientMORLOutputs, Layer, Stage

SIZE, K, Z = 32, 4, 4  # slots: a background and three squares; a slot: top, left, side, which color
COLORS = np.array([[0.2, 0.2, 0.2], [0.8, 0.2, 0.2], [0.2, 0.8, 0.2], [0.2, 0.2, 0.8]], np.float32)


def source_of(arrays, batch_size):
    """A data source whose test set is these arrays."""
    return DataSource(None, None, lambda name: tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size))


def painted_scenes(n, seed=0, enlarged=1):
    """Squares on dark gray: image, mask (background first, then the squares in random order) and factors.

    Factors are top, left, side and color; visibility is 1 but for the third square of every fourth scene.
    """
    rng = np.random.default_rng(seed)
    image = np.tile(COLORS[0], [n, SIZE, SIZE, 1])
    mask = np.zeros([n, K, SIZE, SIZE], np.uint8)
    factors = np.zeros([n, K, 5], np.float32)
    for i in range(n):
        colors = rng.permutation(3) + 1
        for j in range(3 - (i % 4 == 3)):
            side = rng.integers(8, 11)
            top, left = rng.integers(0, SIZE - side), 11 * j  # columns apart: nothing is hidden
            image[i, top : top + side, left : left + side] = COLORS[colors[j]]
            mask[i, 1 + j, top : top + side, left : left + side] = 1
            factors[i, 1 + j] = [top, left, side, colors[j], 1]
        mask[i, 0] = 1 - mask[i].sum(axis=0)
        factors[i, 0, -1] = 1
    mask = mask.repeat(enlarged, axis=2).repeat(enlarged, axis=3)
    return {"image": image, "mask": mask, "factors": factors, "visibility": factors[..., -1]}


class PaintedDecoder:
    """Paints a slot as a square of its color; slots of color 0 fill what no square covers."""

    def render(self, slots):
        slots = tf.cast(slots, tf.float32)  # [n, z]
        top, left, side, color = (slots[:, i, None, None] for i in range(Z))  # [n, 1, 1] each
        row, column = (tf.cast(x, tf.float32) for x in tf.meshgrid(*[tf.range(SIZE)] * 2, indexing="ij"))
        row, column = row + 0.5, column + 0.5
        inside = (row > top) & (row < top + side) & (column > left) & (column < left + side)  # [n, H, W]
        logit = tf.where(color < 0.5, 10.0, tf.where(inside, 20.0, 0.0))
        rgb = tf.gather(COLORS, tf.cast(tf.round(slots[:, 3]), tf.int32))  # [n, 3]
        rgb = tf.broadcast_to(tf.math.log(rgb / (1 - rgb))[:, None, None], [len(slots), SIZE, SIZE, 3])
        return tf.concat([rgb, logit[..., None]], axis=-1)  # [n, H, W, 4]


class PaintedModel:
    """Reads the squares off the image, in the order of their colors; the KL is the images' brightness."""

    config = types.SimpleNamespace(K=K, size=SIZE, z_size=Z, stochastic_layers=1, refinement_iters=0)
    compute_dtype = "float32"
    decoder = PaintedDecoder()

    def __call__(self, images, training, seed):
        assert training is False
        distance = tf.reduce_sum(tf.square(images[:, None] - COLORS[:, None, None]), -1)  # [b, K, H, W]
        owner = tf.cast(distance < 0.1, tf.float32)
        rows, columns = tf.reduce_max(owner, axis=3), tf.reduce_max(owner, axis=2)  # [b, K, H]; [b, K, W]
        first = [tf.cast(tf.argmax(x, axis=-1), tf.float32) for x in (rows, columns)]
        number = tf.broadcast_to(tf.range(float(K)), tf.shape(first[0]))
        slots = tf.stack([*first, tf.reduce_sum(rows, axis=-1), number], axis=-1)  # [b, K, z]
        posterior = DiagonalGaussian(slots, tf.ones_like(slots))
        kl = tf.reduce_mean(images, axis=[1, 2, 3])
        stage = Stage(posterior, slots, self.decode(slots), kl, kl)
        return EfficientMORLOutputs((Layer(owner, posterior, slots),), (stage,), kl[:, None])

    def decode(self, slots):
        decoded = self.decoder.render(tf.reshape(slots, [-1, Z]))
        decoded = tf.reshape(decoded, [-1, K, SIZE, SIZE, 4])
        return Decoding(tf.sigmoid(decoded[..., :3]), tf.nn.log_softmax(decoded[..., 3:], axis=1))

    def decode_layers(self, outputs):
        return tuple(self.decode(layer.sample) for layer in outputs.layers)
