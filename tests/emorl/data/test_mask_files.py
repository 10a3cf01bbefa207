"""Every way to write a mask gives the same objects; what is no mask is named."""

import numpy as np
import pytest
from PIL import Image

from discovery import UserError
from emorl.data.mask_files import read_labels

SIZE = 12
LABELS = np.zeros([SIZE, SIZE], np.uint8)
LABELS[2:5, 3:8] = 1
LABELS[6:11, 1:4] = 2
COLORS = np.array([[0, 0, 0], [10, 20, 250], [10, 250, 20]], np.uint8)  # in the order of their numbers


def palette(colors, indices=LABELS):
    image = Image.frombytes("P", (SIZE, SIZE), indices.tobytes())
    image.putpalette(np.asarray(colors).ravel().tolist())
    return image


def rgba():
    image = np.concatenate([COLORS[LABELS], np.full([SIZE, SIZE, 1], 255, np.uint8)], axis=-1)
    image[LABELS == 0] = [9, 9, 9, 0]  # transparent
    return Image.fromarray(image)


WAYS = {
    "numbers": Image.fromarray(LABELS),
    "numbers with gaps": Image.fromarray(np.array([0, 7, 255], np.uint8)[LABELS]),
    "16 bits": Image.fromarray(np.array([0, 300, 60_000], np.uint16)[LABELS]),
    "palette": palette(COLORS),
    "palette of grays": palette(np.arange(256).repeat(3)),
    "colors": Image.fromarray(COLORS[LABELS]),
    "transparent background": rgba(),
}


def saved(folder, image):
    image.save(folder / "a.png")
    return folder / "a.png"


@pytest.mark.parametrize("way", WAYS)
def test_every_way(tmp_path, way):
    labels = read_labels(saved(tmp_path, WAYS[way]), (SIZE, SIZE), SIZE)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, LABELS)


def test_a_mask_of_one_bit_and_one_without_background(tmp_path):
    one = read_labels(saved(tmp_path, Image.fromarray(LABELS > 0)), (SIZE, SIZE), SIZE)
    np.testing.assert_array_equal(one, LABELS > 0)
    full = read_labels(saved(tmp_path, Image.fromarray(LABELS + 4)), (SIZE, SIZE), SIZE)
    np.testing.assert_array_equal(full, LABELS + 1)


def test_cut_and_resized_to_the_nearest_pixel(tmp_path):
    wide = np.pad(LABELS.repeat(3, axis=0).repeat(3, axis=1), [(0, 0), (5, 6)], constant_values=9)
    labels = read_labels(saved(tmp_path, Image.fromarray(wide)), wide.shape[::-1], SIZE)
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("L", (12, 10)), "a mask of 10x12 pixels, but its scene has 12x12"),
        (
            Image.fromarray(np.arange(144).reshape(12, 12).astype(np.uint8)),
            "holds 143 values or colors .* more",
        ),
        (
            palette([[255, 0, 0], [0, 0, 0], [0, 0, 255]]),
            "its palette has black as number 1 and another color as",
        ),
    ],
)
def test_what_is_no_mask(tmp_path, image, message):
    with pytest.raises(UserError, match=rf"a\.png: {message}"):
        read_labels(saved(tmp_path, image), (SIZE, SIZE), SIZE)
