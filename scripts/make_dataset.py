"""Writes a data set as files: generated scenes, or a folder of your own images.

Generated scenes, in EfficientMORL's layout:
    python -m scripts.make_dataset --dataset=tetrominoes --n_train=60000 --n_test=320 --out=tetrominoes.h5
Scenes of a folder, with masks where it has some, in the same layout:
    python -m scripts.make_dataset --data_path=FOLDER --size=64 --out=scenes.h5
Images of a folder, by class where it has subfolders, as TFRecords for SCAE in a new folder:
    python -m scripts.make_dataset --data_path=FOLDER --size=28 --n_channels=1 --out=packed

--picture=FILE.png shows the first test scenes and their masks.

Training draws generated scenes on the fly when given no file; a file is for other programs, and for training
on a fixed number of scenes.
"""

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import flags

from discovery import UserError
from discovery.installation import command
from emorl.data import GENERATED
from emorl.data.config import SCENE_SETS
from stacked_capsules.data import DataConfig

from . import entry_point
from .path_flags import define_path

FLAGS = flags.FLAGS

#: Draws the scenes of the picture, and their masks where there are any.
Shown = Callable[[], tuple[np.ndarray, np.ndarray | None]]

_SHOWN = 10  # scenes in a picture
_SCENE_SIZE, _IMAGE_SIZE = 64, 28  # the defaults of --input_size and --canvas_size
_OF_GENERATORS, _OF_FOLDERS = ("n_train", "n_test", "seed"), ("size", "n_channels")
_ANY_SIZE = [name for name in sorted(GENERATED) if SCENE_SETS[name].any_size]


def define() -> None:
    """Defines the flags."""
    flags.DEFINE_enum(
        "dataset",
        "tetrominoes",
        [*sorted(GENERATED), "images"],
        "Which generator; images: a folder of yours.",
    )
    define_path("data_path", "", "Folder of PNG and JPEG files to pack; empty: scenes are generated.")
    define_path(
        "out", None, "File to write, .h5; of a folder's images a folder, for TFRecords.", required=True
    )
    flags.DEFINE_integer("n_train", 60_000, "Generated training scenes.", lower_bound=1)
    flags.DEFINE_integer("n_test", 320, "Generated test scenes.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of generated scenes.", lower_bound=0)
    flags.DEFINE_integer(
        "size",
        None,
        f"Side of the images, of a folder or of generated {' and '.join(_ANY_SIZE)}; by default "
        f"{_SCENE_SIZE}, in TFRecords {_IMAGE_SIZE}.",
        lower_bound=1,
    )
    flags.DEFINE_enum("n_channels", "1", ["1", "3"], "In TFRecords: gray, or color; scenes are in color.")
    flags.DEFINE_boolean("overwrite", False, "Replaces what exists.")
    define_path("picture", "", "PNG file for a picture of the first ten test scenes; empty: none.")


def main(_: list[str]) -> None:
    """Writes the files."""
    from PIL import Image

    from emorl.plots import scenes_picture

    path = Path(FLAGS.out)
    if path.exists() and not FLAGS.overwrite and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{path} exists: give another --out, or --overwrite.")
    if not FLAGS.data_path:
        if FLAGS.dataset == "images":
            raise UserError("--dataset=images: give --data_path, the folder of images to pack.")
        names = [name for name in _OF_FOLDERS if name != "size" or FLAGS.dataset not in _ANY_SIZE]
        _refuse(names, "is for a folder of images: give --data_path, or leave it out.")
        shown = _generate(path)
    else:
        if FLAGS["dataset"].present and FLAGS.dataset != "images":
            raise UserError(f"--dataset={FLAGS.dataset} is generated: leave it or --data_path out.")
        _refuse(_OF_GENERATORS, "is for generated scenes; with a folder, leave it out.")
        if path.suffix not in ("", ".h5"):
            raise UserError(
                f"--out={FLAGS.out}: name a file that ends in .h5, for scenes, or a folder without such an "
                "ending, for TFRecords of images."
            )
        shown = _pack_scenes(path) if path.suffix else _pack_images(path)
    if FLAGS.picture:
        images, masks = shown()
        picture = Image.fromarray(scenes_picture(images, masks))
        try:
            picture.save(FLAGS.picture, optimize=True)
        except (OSError, ValueError) as error:
            raise UserError(f"--picture={FLAGS.picture}: cannot be written ({error}).") from None
        print(f"{FLAGS.picture}: the first {len(images)} test scenes")


def _generate(path: Path) -> Shown:
    """Writes generated scenes."""
    import tqdm

    from discovery import Seed
    from emorl.data import generator_of
    from emorl.data.generated import TEST, draw_set
    from emorl.data.h5_writer import write_generated

    generate = generator_of(FLAGS.dataset, size=FLAGS.size)
    with tqdm.tqdm(total=FLAGS.n_train + FLAGS.n_test, unit=" scenes") as bar:
        write_generated(path, generate, FLAGS.n_train, FLAGS.n_test, FLAGS.seed, progress=bar.update)
    print(
        f"{path}: {FLAGS.n_train} scenes to train on, {FLAGS.n_test} to test, {path.stat().st_size:,} bytes"
    )

    def shown():
        scenes = draw_set(generate, Seed.of(FLAGS.seed).fold(TEST), min(_SHOWN, FLAGS.n_test))
        return scenes.image.numpy(), scenes.mask.numpy()

    return shown


def _pack_scenes(path: Path) -> Shown:
    """Writes the scenes of a folder."""
    from emorl.data.h5_writer import write_folder
    from emorl.data.scene_folder import find_scenes, one_hot, read_scenes

    _refuse(("n_channels",), "is for TFRecords: scenes are in color; leave it out.")
    found, size = find_scenes(Path(FLAGS.data_path)), FLAGS.size or _SCENE_SIZE
    write_folder(path, found, size)
    print(f"training:   {len(found.train.images):,} scenes {found.train_from}")
    print(f"validation: {len(found.valid.images):,} scenes {found.valid_from}")
    print(f"{path}: {path.stat().st_size:,} bytes; train on it with")
    print(
        f"  {command('train_emorl')} --name=NAME --dataset=images --data_path={shlex.quote(str(path))} "
        f"--input_size=3,{size},{size}"
    )

    def shown():
        scenes = read_scenes(found.valid, size, bool(found.valid.masks), 0, _SHOWN)
        labels = scenes.get("label")
        return scenes["image"], None if labels is None else one_hot(labels, 1 + int(labels.max()))

    return shown


def _pack_images(path: Path) -> Shown:
    """Writes the images of a folder, by class."""
    from stacked_capsules.data import image_folder

    size, n_channels = FLAGS.size or _IMAGE_SIZE, int(FLAGS.n_channels)
    config = DataConfig("images", FLAGS.data_path, canvas_size=size, n_channels=n_channels)
    sets, classes = image_folder.pack(config, path), image_folder.find(config).classes
    print(f"training:   {len(sets.train['image']):,} images {sets.train_from}")
    print(f"validation: {len(sets.valid['image']):,} images {sets.valid_from}")
    more = f" --n_classes={len(classes)}" if classes else ""
    print(f"{path}: {', '.join(sorted(file.name for file in path.iterdir()))}; train on it with")
    print(
        f"  {command('train')} --name=NAME --dataset=tfrecord --data_dir={shlex.quote(str(path))} "
        f"--canvas_size={size} --n_channels={n_channels}{more}"
    )
    return lambda: (sets.valid["image"][:_SHOWN], None)


def _refuse(names, why):
    for name in names:
        if FLAGS[name].present:
            raise UserError(f"--{name}={FLAGS[name].value} {why}")


if __name__ == "__main__":
    define()
    entry_point.run(main)
