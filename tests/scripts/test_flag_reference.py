"""docs/flags.md says what the scripts say."""

from pathlib import Path

from scripts.flag_reference import page


def test_the_page_is_up_to_date():
    written = (Path(__file__).parents[2] / "docs" / "flags.md").read_text()
    assert written == page(), "run: python -m scripts.flag_reference > docs/flags.md"
