"""Pictures of every mode and size become what they look like, in one size; files that are none are named."""

import numpy as np
import pytest
from PIL import Image

from discovery import UserError
from discovery.image_files import check_memory, check_not_black, read_image, read_images

RED, GRAY_OF_RED = [254, 0, 0], 76


def saved(path, image, **options):
    image.save(path, **options)
    return path


def plain(mode, color):
    return Image.new(mode, (6, 6), color)


def palette():
    image = plain("P", 1)
    image.putpalette([0, 0, 0, *RED])
    return image


PICTURES = {
    "rgb.png": (plain("RGB", tuple(RED)), {}),
    "rgb.jpg": (plain("RGB", tuple(RED)), {"quality": 95}),
    "palette.png": (palette(), {}),
    "opaque.png": (plain("RGBA", (*RED, 255)), {}),
    "cmyk.JPEG": (plain("CMYK", (1, 255, 255, 0)), {"format": "JPEG", "quality": 95}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_one_red_whatever_the_mode(tmp_path, name):
    image, options = PICTURES[name]
    path = saved(tmp_path / name, image, **options)
    color, gray = read_image(path, 3, 3), read_image(path, 3, 1)
    assert color.dtype == gray.dtype == np.uint8
    np.testing.assert_allclose(color, np.broadcast_to(RED, [3, 3, 3]), atol=2)
    np.testing.assert_allclose(gray, np.full([3, 3, 1], GRAY_OF_RED), atol=2)


@pytest.mark.parametrize(
    ("image", "gray"),
    [
        (plain("L", 200), 200),
        (plain("1", 1), 255),
        (plain("LA", (200, 255)), 200),
        (plain("LA", (200, 0)), 0),  # transparent is black
        (plain("RGBA", (200, 200, 200, 127)), 100),
        (Image.fromarray(np.full([6, 6], 200 * 256 + 99, np.uint16)), 200),
    ],
    ids=["8 bits", "1 bit", "alpha", "transparent", "half transparent", "16 bits"],
)
def test_gray(tmp_path, image, gray):
    path = saved(tmp_path / "a.png", image)
    np.testing.assert_array_equal(read_image(path, 6, 1), np.full([6, 6, 1], gray))
    np.testing.assert_array_equal(read_image(path, 6, 3), np.full([6, 6, 3], gray))


def test_the_middle_square_as_it_is_where_it_has_the_size(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, [8, 13, 3], np.uint8)
    path = saved(tmp_path / "a.png", Image.fromarray(pixels))
    np.testing.assert_array_equal(read_image(path, 8, 3), pixels[:, 2:10])


def test_fine_stripes_become_gray_and_not_stripes_of_their_own(tmp_path):
    stripes = np.zeros([90, 90], np.uint8)
    stripes[:, ::2] = 255
    shrunk = read_image(saved(tmp_path / "a.png", Image.fromarray(stripes)), 10, 1)
    np.testing.assert_allclose(shrunk, 127.5, atol=12)


def test_a_camera_that_was_turned(tmp_path):
    pixels = np.zeros([16, 16, 3], np.uint8)
    pixels[:8] = 255  # the upper half is bright
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter
    path = saved(tmp_path / "a.jpg", Image.fromarray(pixels), exif=exif, quality=95)
    turned = read_image(path, 16, 1)[..., 0]
    assert turned[:, 10:].min() > 240
    assert turned[:, :6].max() < 15


def test_files_that_are_no_images_are_named_together(tmp_path):
    paths = []
    for i in range(8):
        noise = np.random.default_rng(i).integers(0, 256, [64, 64], np.uint8)
        paths.append(saved(tmp_path / f"{i}.png", Image.fromarray(noise)))
    assert read_images(paths, 5, 1).shape == (8, 5, 5, 1)
    paths[2].write_bytes(paths[2].read_bytes()[:1000])
    paths[4].write_text("no image")
    paths[5].write_bytes(b"")
    saved(paths[6], plain("RGB", 0), format="WEBP")
    with pytest.raises(
        UserError,
        match=r"2\.png: cannot be read as PNG or JPEG .*; 3 more of 8: 4\.png, 5\.png, \.\.\.; fix",
    ) as caught:
        read_images(paths, 5, 1)
    assert "\n" not in str(caught.value)
    with pytest.raises(
        UserError, match=r"4\.png: cannot be read as PNG or JPEG \(cannot identify image file\)"
    ):
        read_images(paths[3:5], 5, 1)


def test_more_than_the_memory_holds():
    with pytest.raises(UserError, match=r"1,000,000,000 images of 3,000,000 bytes do not fit .*make_dataset"):
        check_memory(10**9, 3 * 10**6)


def test_black_images():
    check_not_black(np.array([0, 2], np.uint8), "here")
    with pytest.raises(UserError, match="here: the brightest value of all images is 1 of 255"):
        check_not_black(np.array([0, 1], np.uint8), "here")
