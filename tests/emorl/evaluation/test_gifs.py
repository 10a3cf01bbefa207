import numpy as np
from PIL import Image

from emorl.evaluation.gifs import most_active, write_gif


def test_most_active():
    activeness = np.array([[0.0, 3.0, 1.0, 2.0], [0.0, 1.0, 5.0, 2.0]])
    np.testing.assert_array_equal(most_active(activeness), [2, 3, 1, 0][: len(activeness[0])])
    np.testing.assert_array_equal(most_active(activeness, 2), [2, 3])


def test_a_gif_shows_every_frame_four_a_second_for_ever(tmp_path):
    pictures = np.zeros([8, 35, 35, 3], np.float32)
    for step, picture in enumerate(pictures):
        picture[2 * step : 2 * step + 5, 10:20] = [1.0, 0.5, 0.25]
    write_gif(tmp_path / "moving.gif", pictures)
    with Image.open(tmp_path / "moving.gif") as gif:
        assert gif.n_frames == 8
        assert gif.info["loop"] == 0
        assert gif.size == (140, 140)  # small pictures are enlarged
        for step in range(8):
            gif.seek(step)
            assert gif.info["duration"] == 250
            frame = np.asarray(gif.convert("RGB"))[2::4, 2::4]
            np.testing.assert_allclose(frame, 255 * pictures[step], atol=2)
