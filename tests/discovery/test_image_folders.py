"""Where images lie tells what they are for; what is unclear is asked."""

import pytest

from discovery import UserError
from discovery.image_folders import find_images


def laid_out(folder, *names):
    """Makes files; `a/{5}.png` are five. Their content is not looked at."""
    for name in names:
        before, _, rest = name.partition("{")
        n, _, after = rest.partition("}")
        for each in [f"{before}{i:02d}{after}" for i in range(int(n))] if rest else [name]:
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            (folder / each).write_bytes(b"")
    return folder


def names(image_set):
    return [path.relative_to(image_set.root).as_posix() for path in image_set.paths]


def test_each_tenth_by_name_is_for_validation(tmp_path):
    laid_out(
        tmp_path, "{18}.png", "zz.JPG", "zzz.Jpeg", "notes.txt", ".hidden.png", "__MACOSX/00.png", "x.gif"
    )
    found = find_images(tmp_path)
    everything = [f"{i:02d}.png" for i in range(18)] + ["zz.JPG", "zzz.Jpeg"]
    assert names(found.valid) == [everything[9], everything[19]]
    assert names(found.train) == [name for name in everything if name not in names(found.valid)]
    assert found.classes == found.train.labels == found.valid.labels == ()
    assert found.held_out
    assert found.valid_from == f"in {tmp_path}: every tenth is held out"


def test_sub_folders_are_classes_in_sorted_order_and_take_turns(tmp_path):
    found = find_images(laid_out(tmp_path, "cat/{12}.png", "Bird/{15}.png", "dog/{3}.png", "empty/notes.txt"))
    assert found.classes == ("Bird", "cat", "dog")
    assert names(found.train)[:6] == [
        *("Bird/00.png", "cat/00.png", "dog/00.png", "Bird/01.png", "cat/01.png", "dog/01.png")
    ]
    assert names(found.valid) == ["Bird/09.png", "cat/04.png", "dog/02.png"]  # the 10th, 20th, 30th of all
    for image_set in (found.train, found.valid):
        assert [found.classes[label] for label in image_set.labels] == [
            p.parent.name for p in image_set.paths
        ]


@pytest.mark.parametrize("valid", ["valid", "val", "Test"])
def test_a_split_that_is_there_is_taken(tmp_path, valid):
    found = find_images(laid_out(tmp_path, "train/a/{3}.png", "train/b/{2}.png", f"{valid}/b/{{2}}.png"))
    assert (len(found.train.paths), names(found.valid)) == (5, ["b/00.png", "b/01.png"])
    assert found.classes == ("a", "b")
    assert found.valid.labels == (1, 1)
    assert found.valid_from == f"in {tmp_path / valid}"


def test_valid_goes_before_test_and_classes_need_not_be(tmp_path):
    found = find_images(laid_out(tmp_path, "train/{3}.png", "valid/x.png", "test/y.png"))
    assert (names(found.valid), found.classes) == (["x.png"], ())


def test_train_alone_is_split_and_among_others_is_a_class(tmp_path):
    alone = find_images(laid_out(tmp_path / "alone", "train/a/{10}.png", "train/b/{10}.png"))
    assert (alone.classes, len(alone.valid.paths)) == (("a", "b"), 2)
    railway = find_images(laid_out(tmp_path / "railway", "train/{10}.png", "bus/{10}.png"))
    assert railway.classes == ("bus", "train")


def test_one_sub_folder_is_no_class_and_some_are_left_aside(tmp_path):
    found = find_images(laid_out(tmp_path, "images/{10}.png", "masks/{10}.png"), aside=("masks",))
    assert found.classes == ()
    assert found.aside == (tmp_path / "masks",)
    assert found.train.root == tmp_path
    assert len(found.train.paths) == 9


def test_a_link_in_a_circle_ends(tmp_path):
    laid_out(tmp_path, "{10}.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "again").symlink_to(tmp_path / "empty")
    assert len(find_images(tmp_path).train.paths) == 9


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["notes.txt"], "holds no images, directly or in subfolders; expected .png or .jpg"),
        (["{9}.png"], "9 images are too few to hold out every tenth"),
        (["a/b/{3}.png", "c/{9}.png"], r"a/b/00.png: is too deep: images belong in .*, one per class"),
        (["all/train/{3}.png", "all/test/{9}.png"], r"all/test/00.png: is too deep"),
        (["{3}.png", "a/{9}.png"], r"images lie in it \(00.png\) and in subfolders of it \(a\)"),
        (["test/{3}.png", "bus/{9}.png"], "subfolder test, but no subfolder train"),
        (["train/{3}.png", "test/{9}.png", "bus/{2}.png"], "subfolder test, but also bus"),
        (["train/{3}.png", "test/{9}.png", "x.png"], "subfolder test, but also images"),
        (
            ["train/a/{3}.png", "train/b/{9}.png", "test/c/{2}.png"],
            "test: has classes c, but .*train has a, b",
        ),
        (["train/a/{3}.png", "train/b/{9}.png", "test/{2}.png"], "test: has classes none, but"),
    ],
)
def test_what_is_unclear(tmp_path, files, message):
    with pytest.raises(UserError, match=message):
        find_images(laid_out(tmp_path, *files))


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match="nowhere: cannot be opened as a folder of images"):
        find_images(tmp_path / "nowhere")
