"""How far cases are from what the machine could do at best.

    python -m benchmarks.run --case=all --json=all.json
    python -m benchmarks.floor --numbers=all.json
    python -m benchmarks.floor --device=h100 --steps_per_s=scae_mnist_train=400

The floor of a case is the time that its products take at the machine's measured rate, plus the time to read
and write once what has to be read and written: the weights, their optimizer state, and the input. For an H100
it is the larger of the two, as both overlap there, at the rates of its data sheet.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from absl import flags

from benchmarks.numbers import read_numbers
from discovery import UserError
from scripts import entry_point
from scripts.path_flags import define_path

FLAGS = flags.FLAGS

define_path("numbers", None, "What benchmarks.run wrote with --json.")
flags.DEFINE_enum("device", "this", ["this", "h100"], "Whose floor: this machine's or an ideal H100's.")
flags.DEFINE_list("steps_per_s", [], "With --device=h100: measured there, CASE=NUMBER each.")

#: Operations per second of an H100 with SXM5, dense, by the type of a product's factors; and bytes.
H100_PRODUCTS = {"float32": 66.9e12, "TF32": 494.7e12, "bfloat16": 989.4e12}
H100_BYTES = 3.35e12


class Work(NamedTuple):
    """The least that a step, or an inference, has to do.

    Attributes:
        products: floating-point operations of convolutions and matrix products.
        pointwise: operations on single numbers where these are many: sampling templates, mixing.
        moved: bytes of weights, optimizer state and input: all are read, and what changes is written.
    """

    products: float
    pointwise: float
    moved: float


def main(_) -> None:
    """Prints a Markdown table: work, floor, measured time and their ratio."""
    if FLAGS.device == "h100":
        print("\n".join(h100_table(measured_there(FLAGS.steps_per_s))))
        return
    if not FLAGS.numbers:
        raise UserError("--numbers is missing: give what benchmarks.run wrote with --json")
    measured = read_numbers(FLAGS.numbers)
    product_rate, copy_rate = measured_product_rate(), measured_copy_rate()
    print(f"products {product_rate / 1e9:.0f} GFLOP/s, copies {copy_rate / 1e9:.1f} GB/s\n")
    print("| case | GFLOP in products | in points | MB moved | floor, ms | measured, ms | measured / floor |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case, work in WORK.items():
        if case not in measured:
            continue
        work = work()
        floor = (work.products + work.pointwise) / product_rate + work.moved / copy_rate
        seconds = measured[case]["batch_size"] / measured[case]["examples_per_s"]
        print(
            f"| {case} | {work.products / 1e9:.2f} | {work.pointwise / 1e9:.2f} | {work.moved / 1e6:.0f} "
            f"| {floor * 1e3:.1f} | {seconds * 1e3:.1f} | {seconds / floor:.1f} |"
        )


def h100_table(steps_per_s: Mapping[str, float]) -> list[str]:
    """Returns the lines of a table of training: ideal milliseconds of a step, and those measured."""
    floors = "".join(f" {kind}, ms |" for kind in H100_PRODUCTS)
    lines = [f"| case | GFLOP in products | in points | MB moved |{floors} measured, ms |"]
    lines.append("| --- |" + " --- |" * (len(H100_PRODUCTS) + 4))
    for case in WORK:
        if case.endswith("_train"):
            work = WORK[case]()
            row = [f"{work.products / 1e9:.2f}", f"{work.pointwise / 1e9:.2f}", f"{work.moved / 1e6:.0f}"]
            row += [f"{h100_seconds(work, kind) * 1e3:.3f}" for kind in H100_PRODUCTS]
            row.append(f"{1e3 / steps_per_s[case]:.2f}" if case in steps_per_s else "")
            lines.append(f"| {case} | {' | '.join(row)} |")
    return lines


def h100_seconds(work: Work, kind: str) -> float:
    """Returns an ideal H100's time for some work: that of its arithmetic or of its bytes."""
    arithmetic = work.products / H100_PRODUCTS[kind] + work.pointwise / H100_PRODUCTS["float32"]
    return max(arithmetic, work.moved / H100_BYTES)


def measured_there(texts: Sequence[str]) -> dict[str, float]:
    """Reads CASE=NUMBER.

    Raises:
        UserError: there is no such case, or no such number.
    """
    found = {}
    for text in texts:
        case, _, number = text.partition("=")
        try:
            found[case] = float(number)
        except ValueError:
            found[case] = 0.0
        if case not in WORK or not 0.0 < found[case] < math.inf:
            raise UserError(f"--steps_per_s={text}: give CASE=NUMBER, the case one of {', '.join(WORK)}")
    return found


def convolution(n: int, size: int, kernel: int, inputs: int, outputs: int) -> float:
    """Operations of a convolution that gives n images [size, size, outputs]."""
    return 2.0 * n * size**2 * kernel**2 * inputs * outputs


def dense(n: int, inputs: int, outputs: int) -> float:
    """Operations of a product [n, inputs] x [inputs, outputs]."""
    return 2.0 * n * inputs * outputs


def scae_mnist(training: bool) -> Work:
    """Batch 128, canvas 40, 40 parts with 11 x 11 templates, 32 objects of 40 votes."""
    b, parts, objects, d = 128, 40, 32, 6 + 1 + 16
    encoder = convolution(b, 19, 3, 1, 128)  # its input needs no gradient
    encoder_rest = sum(convolution(b, size, 3, 128, 128) for size in (9, 7, 5))
    encoder_rest += 2 * dense(b * 25, 128, parts) + dense(b * parts, 128, d)  # attention and its pooling
    # three blocks of width 16, with 11 * 11 + 23 features into them; the read-out is a mean of these points,
    # and only the mean is mapped to width 256
    blocks = dense(b * parts, d + 121, 16)
    blocks += 3 * (4 * dense(b * parts, 16, 16) + 2 * dense(b * parts, 16, 32))
    blocks += 3 * 2 * dense(b * parts, 16, parts)
    read_out = 2 * dense(b * objects, 17, parts) + dense(b * objects, 17, 256)
    capsules = dense(b * objects, 256, 128) + dense(b * objects, 128, 32)
    capsules += dense(b * objects, 33, 128) + dense(b * objects, 128, parts * 8 + 7)
    products = encoder + encoder_rest + blocks + read_out + capsules
    weights = 4.0 * (3 * 128 * 128 * 9 + objects * (256 * 128 + 128 * 32 + 33 * 128 + 128 * (parts * 8 + 7)))
    if not training:
        return Work(products, 0.0, weights)
    # per point: its place in the template (12), two bilinear samples (22), logit and density (12); the
    # gradient takes those of place and samples (40) and adds two numbers to four pixels (16)
    points = b * parts * 40.0**2
    # weights and two accumulators are read, and written, the gradients too
    return Work(3 * products - encoder, points * (46 + 56), 8 * weights)


def constellation() -> Work:
    """A training step: batch 32, 11 points, half of them present, four blocks of width 128."""
    b, points, width, objects = 32, 11, 128, 3
    present = b * points / 2
    blocks = 4 * (4 * dense(present, width, width) + 2 * dense(present, width, 2 * width))
    blocks += 4 * 2 * dense(b * points, width, points)  # queries with keys, weights with values
    read_out = dense(present, width, 32) + 2 * dense(present, 32, 32)
    capsules = objects * (dense(b, 32, 128) + dense(b, 128, 32) + dense(b, 33, 128) + dense(b, 128, 39))
    products = dense(present, 2, width) + blocks + read_out + capsules
    weights = 4.0 * (4 * 8 * width**2 + 34 * width + 4 * 32**2)
    weights += 4.0 * objects * (32 * 128 + 128 * 32 + 33 * 128 + 128 * 39)
    return Work(3 * products, 0.0, 8 * weights)


def emorl(training: bool, b: int, size: int, slots: int, refinements: int, decoder: str) -> Work:
    """EfficientMORL's encoder and decoder; everything else is small."""
    encoder_first = convolution(b, size, 5, 3, 64)
    encoder = 3 * convolution(b, size, 5, 64, 64) + 2 * dense(b * size**2, 64, 64)
    keys = 2 * dense(b * size**2, 64, 32 if decoder == "small" else 64)
    n = b * slots
    if decoder == "small":  # the first convolution of broadcast slots is a map of slots
        first, rest = 0.0, convolution(n, size + 2, 5, 32, 32) + convolution(n, size, 5, 32, 32)
        rest += convolution(n, size, 3, 32, 4)
        n_weights = 3 * 25 * 32 * 32 + 4 * 25 * 64 * 64
    else:
        first, rest = 0.0, sum(convolution(n, size + k, 3, 64, 64) for k in (6, 4, 2))
        rest += convolution(n, size, 3, 64, 4)
        n_weights = 4 * 9 * 64 * 64 + 4 * 25 * 64 * 64
    decoding = first + rest
    if training:  # every stage's gradient in slots and weights serves the refinement and the loss
        products = 3 * (refinements + 1) * decoding + 3 * (encoder + keys) + 2 * encoder_first
    else:
        products = (2 * refinements + 1) * decoding + encoder + keys + encoder_first
    moved = 4.0 * n_weights * (8 if training else 1) + 4.0 * b * size**2 * 3
    return Work(products, 0.0, moved)


WORK: dict[str, Callable[[], Work]] = {
    "scae_mnist_train": lambda: scae_mnist(True),
    "scae_mnist_infer": lambda: scae_mnist(False),
    "scae_constellation_train": constellation,
    "emorl_tetrominoes_train": lambda: emorl(True, 32, 35, 4, 3, "small"),
    "emorl_tetrominoes_infer": lambda: emorl(False, 32, 35, 4, 3, "small"),
    "emorl_clevr6_train": lambda: emorl(True, 2, 96, 7, 1, "iodine"),
    "emorl_clevr6_infer": lambda: emorl(False, 2, 96, 7, 1, "iodine"),
}


def measured_product_rate() -> float:
    """Returns operations per second of a product of two matrices of 2048 x 2048."""
    import tensorflow as tf

    a = tf.random.stateless_normal([2048, 2048], [0, 0])
    return 2 * 2048.0**3 / _median_seconds(tf.function(lambda: tf.matmul(a, a)))


def measured_copy_rate() -> float:
    """Returns bytes per second, read and written, of a copy of 256 MB."""
    import tensorflow as tf

    a = tf.zeros([64 * 2**20])
    return 2 * 4 * 64 * 2.0**20 / _median_seconds(tf.function(lambda: a + 1.0))


def _median_seconds(function):
    def timed():
        start = time.perf_counter()
        function().numpy()
        return time.perf_counter() - start

    timed()
    return statistics.median(timed() for _ in range(9))


if __name__ == "__main__":
    entry_point.run(main)
