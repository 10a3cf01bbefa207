"""Pages of one self-contained HTML file: no script, no network, readable on a phone."""

from __future__ import annotations

import base64
import html
import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

#: A larger picture is scaled down and compressed; one that moves would stand still.
_MOST_BYTES, _MOST_MOVING_BYTES, _MOST_PIXELS = 400_000, 2_000_000, 1200

#: What a line of a command is not broken within.
_PIECE = re.compile(r"\s+|[^\s/=,]*[/=,]+|[^\s/=,]+")

_STYLE = """
*{box-sizing:border-box}
body{margin:0;background:#f3f5f8;color:#1c2733;font:16px/1.5 system-ui,"Segoe UI",Roboto,sans-serif}
main{max-width:1200px;margin:0 auto;padding:20px 16px 48px}
h1,h2,h3,p,summary,figcaption{overflow-wrap:break-word}
td,th{overflow-wrap:break-word;max-width:24rem}
h1{font-size:1.75rem;line-height:1.2;margin:8px 0 4px}
h2{font-size:1.2rem;margin:0 0 12px}
h3{font-size:1rem;margin:0 0 2px;font-weight:600}
p{margin:0 0 12px}
.quiet,figcaption{color:#4a5663}
.warning{background:#fff4d6;border-left:4px solid #c58a00;padding:8px 12px;border-radius:4px}
section{background:#fff;border:1px solid #dfe4ea;border-radius:10px;padding:18px 16px;margin-top:16px}
section>:last-child{margin-bottom:0}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px 20px;margin:0 0 16px}
.facts dt{color:#4a5663;font-size:.85rem}
.facts>div{min-width:0}
.facts dd{margin:0;font-weight:600;overflow-wrap:break-word}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:22px 24px}
.panels>*{min-width:0}
.key{font-size:.9rem;margin:0 0 4px;display:flex;flex-wrap:wrap;gap:0 14px}
svg{display:block;width:100%;height:auto;font:12px system-ui,sans-serif}
figure{margin:0}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr));gap:24px}
.gallery>*{min-width:0}
figure>img{display:block;max-width:100%;height:auto;border:1px solid #dfe4ea;border-radius:4px}
figcaption{font-size:.9rem;margin:4px 0 0}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(130px,1fr));gap:10px;margin-top:10px}
.scroll{overflow-x:auto;margin-bottom:12px}
table{border-collapse:collapse;font-size:.92rem;min-width:min(100%,420px)}
th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid #e7ebf0;vertical-align:top}
th{color:#4a5663;font-weight:600}
th,td{min-width:6.5em}
td:first-child{min-width:7.5em}
td+td{font-variant-numeric:tabular-nums}
pre{background:#f3f5f8;border-radius:6px;padding:10px 12px;margin:0 0 12px;white-space:pre-wrap;
 overflow-wrap:anywhere;font:.88rem/1.5 ui-monospace,Menlo,Consolas,monospace}
pre span{display:inline-block;max-width:100%}
summary{cursor:pointer;font-weight:600;padding:6px 0}
details{margin-top:12px}
"""

#: Nothing runs, and nothing is loaded.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body><main>
<h1>{title}</h1>
{body}
</main></body>
</html>
"""


def page(title: str, parts: Iterable[str]) -> str:
    """Makes a page.

    Args:
        title: as text.
        parts: as HTML.
    """
    return _PAGE.format(title=escaped(title), policy=_POLICY, style=_STYLE, body="\n".join(parts))


def escaped(text: object) -> str:
    """Escapes text for HTML and its attributes; characters that no page can hold become question marks."""
    safe = str(text).encode("utf-8", "replace").decode()  # names of files may hold lone surrogates
    printable = "".join("?" if _is_control(c) else c for c in safe)
    return html.escape(printable)


def section(title: str, *parts: str) -> str:
    """Makes a section; `title` is text, `parts` are HTML."""
    return f"<section><h2>{escaped(title)}</h2>\n" + "\n".join(parts) + "</section>"


def heading(text: str) -> str:
    """Makes a heading within a section."""
    return f"<h3>{escaped(text)}</h3>"


def paragraph(text: str, kind: str = "") -> str:
    """Makes a paragraph of text; its kind may be `quiet` or `warning`."""
    return f'<p class="{kind}">{escaped(text)}</p>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Lists names and their values, as text, side by side where there is room."""
    rows = [f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in pairs]
    return f'<dl class="facts">{"".join(rows)}</dl>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Makes a table of text; one that is too wide scrolls by itself."""
    head = "".join(f'<th scope="col">{escaped(cell)}</th>' for cell in header)
    lines = ["<tr>" + "".join(f"<td>{escaped(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{body}</div>'


def commands(lines: Iterable[str]) -> str:
    """Shows commands; where a line is too long it breaks at a space, or after `/`, `=` or a comma."""
    pieces = (_PIECE.findall(line) for line in lines)
    shown = ("".join(p if p.isspace() else f"<span>{escaped(p)}</span>" for p in line) for line in pieces)
    return f"<pre>{chr(10).join(shown)}</pre>"


def panel(title: str, key: Iterable[tuple[str, str]], picture: str) -> str:
    """Shows a diagram (HTML) below its title and its key: texts, and the colors of what they describe."""
    entries = "".join(f'<span style="color:{color}">{escaped(text)}</span>' for text, color in key)
    return f'<div><h3>{escaped(title)}</h3><p class="key">{entries}</p>{picture}</div>'


def panels(parts: Iterable[str]) -> str:
    """Puts panels side by side where there is room."""
    return f'<div class="panels">{"".join(parts)}</div>'


def gallery(figures: Iterable[str]) -> str:
    """Puts pictures side by side where there is room."""
    return f'<div class="gallery">{"".join(figures)}</div>'


def details(title: str, *parts: str) -> str:
    """Hides parts until they are asked for."""
    return f"<details><summary>{escaped(title)}</summary>{''.join(parts)}</details>"


def figure(path: Path, caption: str, more: str = "") -> str:
    """Shows a picture, or says that its file is damaged; `more` is HTML below the caption."""
    source = _data_url(path)
    shown = f'<img alt="{escaped(caption)}" {source}>' if source else paragraph("Not readable.", "warning")
    return f"<figure>{shown}<figcaption>{escaped(caption)}</figcaption>{more}</figure>"


def _is_control(c):
    return (c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f"


def _data_url(path):
    """Returns an image's attributes; none where its file is not a picture."""
    try:
        content = path.read_bytes()
        with warnings.catch_warnings(), Image.open(io.BytesIO(content)) as image:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image.load()
            kind = image.format
            most = _MOST_MOVING_BYTES if getattr(image, "is_animated", False) else _MOST_BYTES
            if len(content) > most or kind not in ("PNG", "GIF"):
                smaller, kind, buffer = image.convert("RGB"), "JPEG", io.BytesIO()
                smaller.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
                smaller.save(buffer, format=kind, quality=85)
                content, (width, height) = buffer.getvalue(), smaller.size
            else:
                width, height = image.size
    except (
        *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error),
        *(Image.DecompressionBombError, Image.DecompressionBombWarning),
    ):
        return None
    encoded = base64.b64encode(content).decode()
    return f'width="{width}" height="{height}" src="data:image/{kind.lower()};base64,{encoded}"'
