"""PNG and JPEG files of any kind as arrays of one size: how each becomes gray or color, square, and small."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from discovery.errors import UserError

T = TypeVar("T")

_THREADS = 4  # Pillow decodes outside Python's lock
_NAMED = 3  # files that one error names
_MODES = {1: "L", 3: "RGB"}


def read_images(paths: Sequence[Path], size: int, n_channels: int) -> np.ndarray:
    """Reads image files, each as `fitted` says.

    Args:
        paths: Of the files.
        size: Side of the images that come out.
        n_channels: 1 for gray or 3 for color.

    Returns:
        uint8 [N, size, size, n_channels].

    Raises:
        UserError: Some cannot be read, or together they do not fit into memory.
    """
    check_memory(len(paths), size * size * n_channels)
    images = np.empty([len(paths), size, size, n_channels], np.uint8)  # [N, S, S, C]
    read = functools.partial(read_image, size=size, n_channels=n_channels)
    for i, image in enumerate(each_read(read, paths)):
        images[i] = image
    return images


def read_image(path: Path, size: int, n_channels: int) -> np.ndarray:
    """Reads one file: uint8 [size, size, n_channels]."""
    return fitted(opened(path), size, n_channels)


def opened(path: Path) -> Image.Image:
    """Decodes a PNG or JPEG file, rotated as its EXIF data say.

    Raises:
        UserError: It is damaged, or of another format; the message names it.
    """
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            image.load()
            return ImageOps.exif_transpose(image)
    except Exception as error:  # damage makes Pillow raise errors of many kinds
        cause = " ".join(str(error).replace(repr(str(path)), "").split())
        raise UserError(f"{path}: cannot be read as PNG or JPEG ({cause})") from error


def fitted(image: Image.Image, size: int, n_channels: int) -> np.ndarray:
    """Brings a picture of any mode and size to uint8 [size, size, n_channels].

    Of 16 bits the upper 8 are kept; transparency is composited onto black; the middle square is cropped, then
    resized bicubically, with a low-pass filter where it shrinks.
    """
    if image.mode.startswith("I"):  # 16 bits of gray; Pillow itself reads those of color as 8
        image = Image.fromarray((np.asarray(image).clip(0, 2**16 - 1) // 256).astype(np.uint8))
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, "black")
        image = Image.alpha_composite(black, image.convert("RGBA"))
    square = middle_square(image.convert(_MODES[n_channels]))
    if square.size != (size, size):
        square = square.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(square).reshape(size, size, n_channels)


def middle_square(image: Image.Image) -> Image.Image:
    """Cuts out the largest square in the middle."""
    side = min(image.size)
    left, top = ((extent - side) // 2 for extent in image.size)
    return image.crop((left, top, left + side, top + side))


def each_read(read: Callable[[Path], T], paths: Sequence[Path]) -> Iterator[T]:
    """Yields `read(path)` in order, several at a time; all are tried before the first error is raised.

    Raises:
        UserError: At the end, if `read` raised any: the first one, and the names of the other files.
    """

    def attempt(path):
        try:
            return read(path), None
        except UserError as error:
            return None, (path, error)

    mistakes = []
    with ThreadPoolExecutor(_THREADS) as pool:
        results = tqdm(
            pool.map(attempt, paths), "Reading", len(paths), unit=" images", leave=False, disable=None
        )
        for result, mistake in results:
            if mistake is not None:
                mistakes.append(mistake)
            elif not mistakes:
                yield result
    if mistakes:
        names = [path.name for path, _ in mistakes[1:]]
        more = ", ".join(names[: _NAMED - 1]) + (", ..." if len(names) >= _NAMED else "")
        others = f"; {len(names)} more of {len(paths)}: {more}" if names else ""
        raise UserError(f"{mistakes[0][1]}{others}; fix or remove the file{'s' if names else ''}")


def check_not_black(images: np.ndarray, where: str | Path) -> None:
    """Raises a `UserError` that begins with `where` if all images of bytes are black."""
    brightest = int(images.max())
    if brightest <= 1:
        raise UserError(
            f"{where}: the brightest value of all images is {brightest} of 255, so all are black; "
            "store values from 0 to 255"
        )


def check_memory(n: int, image_bytes: int) -> None:
    """Raises a `UserError` if n images would take more than half of the machine's memory."""
    needed = n * image_bytes
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory // 2:
        raise UserError(
            f"{n:,} images of {image_bytes:,} bytes do not fit into this machine's memory of "
            f"{memory / 2**30:.0f} GiB: choose a smaller size or fewer images, or pack scenes into an .h5 "
            "file, which is read piece by piece (python -m scripts.make_dataset)"
        )
