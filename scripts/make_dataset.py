"""Writes a generated data set as a file in EfficientMORL's layout.

    python -m scripts.make_dataset --dataset=tetrominoes --n_train=60000 --n_test=320 --out=tetrominoes.h5

--picture=FILE.png shows the first test scenes and their masks.

Training draws such scenes on the fly when given no file; a file is for other programs, and for training on
a fixed number of scenes.
"""

from pathlib import Path

from absl import flags

from emorl.data import GENERATED
from protocols import UserError
from scripts import command_line

FLAGS = flags.FLAGS

_SHOWN = 10  # scenes in a picture


def define() -> None:
    """Defines the flags."""
    flags.DEFINE_enum("dataset", "tetrominoes", sorted(GENERATED), "Which generator.")
    flags.DEFINE_string("out", None, "File to write.", required=True)
    flags.DEFINE_integer("n_train", 60_000, "Training scenes.", lower_bound=1)
    flags.DEFINE_integer("n_test", 320, "Test scenes.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the scenes.", lower_bound=0)
    flags.DEFINE_boolean("overwrite", False, "Replaces a file that exists.")
    flags.DEFINE_string("picture", "", "PNG file for a picture of the first ten test scenes; empty: none.")


def main(_: list[str]) -> None:
    """Writes the file."""
    import tqdm
    from PIL import Image

    from emorl.data import GENERATORS
    from emorl.data.generated import TEST, draw_set
    from emorl.data.h5_writer import write_generated
    from emorl.plots import scenes_picture
    from protocols import Seed

    path = Path(FLAGS.out)
    if path.exists() and not FLAGS.overwrite:
        raise UserError(f"{path} exists: give another --out, or --overwrite.")
    with tqdm.tqdm(total=FLAGS.n_train + FLAGS.n_test, unit=" scenes") as bar:
        write_generated(
            path, GENERATORS[FLAGS.dataset], FLAGS.n_train, FLAGS.n_test, FLAGS.seed, progress=bar.update
        )
    print(
        f"{path}: {FLAGS.n_train} scenes to train on, {FLAGS.n_test} to test, {path.stat().st_size:,} bytes"
    )
    if FLAGS.picture:
        seed = Seed.of(FLAGS.seed).fold(TEST)
        scenes = draw_set(GENERATORS[FLAGS.dataset], seed, min(_SHOWN, FLAGS.n_test))
        picture = Image.fromarray(scenes_picture(scenes.image.numpy(), scenes.mask.numpy()))
        try:
            picture.save(FLAGS.picture, optimize=True)
        except (OSError, ValueError) as error:
            raise UserError(f"--picture={FLAGS.picture}: cannot be written ({error}).") from None
        print(f"{FLAGS.picture}: the first {len(scenes.image)} test scenes")


if __name__ == "__main__":
    define()
    command_line.run(main)
