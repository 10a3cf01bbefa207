import numpy as np
from PIL import Image

from emorl.metrics.mask_resize import resize_masks
from emorl.metrics.mean_squared_error import mean_squared_error


def test_every_mask_is_resized_as_pillow_does():
    masks = np.random.default_rng(0).random((2, 3, 8, 8, 1), np.float32)
    got = resize_masks(masks, (16, 16))
    for i, j in np.ndindex(2, 3):
        expected = np.array(Image.fromarray(masks[i, j, ..., 0]).resize((16, 16)))
        np.testing.assert_allclose(got[i, j, ..., 0], expected, atol=1e-6)
    np.testing.assert_array_equal(resize_masks(masks, (8, 8)), masks)


def test_mean_squared_error_is_per_image():
    image = np.zeros((2, 2, 2, 3), np.float32)
    reconstruction = image.copy()
    reconstruction[1, 0, 0] = [1, 2, 3]
    np.testing.assert_allclose(mean_squared_error(image, reconstruction), [0, 14 / 12])
