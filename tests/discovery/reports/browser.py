"""Looks at a page in a real browser: a headless Chromium, where one is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=20000"),
)

#: Shows the page in frames of several widths, and writes what it sees there, as JSON, into its own text.
_HARNESS = """<!doctype html><meta charset="utf-8"><body><script>
const page = PAGE, widths = WIDTHS, seen = {};
function channel(c) { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; }
function numbers(color) { return color.match(/[\\d.]+/g).map(Number); }
function luminance(color) {
  const [r, g, b] = numbers(color).map(channel);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function background(element, view) {
  for (let e = element; e; e = e.parentElement) {
    const color = view.getComputedStyle(e).backgroundColor, alpha = numbers(color)[3];
    if (alpha === undefined || alpha === 1) return color;
  }
  return "rgb(255, 255, 255)";
}
function look(frame, width) {
  const view = frame.contentWindow, doc = frame.contentDocument;
  doc.querySelectorAll("details").forEach(d => { d.open = true; });
  const texts = [...doc.querySelectorAll("body *")].filter(
    e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  const contrasts = texts.map(e => {
    const style = view.getComputedStyle(e);
    const pair = [e instanceof view.SVGElement ? style.fill : style.color, background(e, view)];
    const [low, high] = pair.map(luminance).sort((a, b) => a - b);
    return [(high + 0.05) / (low + 0.05), e.textContent.slice(0, 40)];
  });
  const boxes = [...doc.querySelectorAll("section, h1, h2, h3, p, pre, dl, figure, img, svg, summary")];
  seen[width] = {
    innerWidth: view.innerWidth,
    scrollWidth: doc.documentElement.scrollWidth,
    outside: boxes.filter(e => e.getBoundingClientRect().right > view.innerWidth + 0.5)
      .map(e => e.outerHTML.slice(0, 80)),
    images: [...doc.images].map(i => i.naturalWidth),
    contrasts: contrasts.sort((a, b) => a[0] - b[0]).slice(0, 5),
    n_texts: texts.length,
    elements: doc.querySelectorAll("*").length,
  };
  if (Object.keys(seen).length === widths.length)
    document.body.textContent = "SEEN" + JSON.stringify(seen) + "SEEN";
}
for (const width of widths) {
  const frame = document.createElement("iframe");
  frame.style = `width:${width}px;height:900px;border:0`;
  frame.scrolling = "no";
  frame.onload = () => look(frame, width);
  frame.srcdoc = page;
  document.body.append(frame);
}
</script>"""


def seen_in_browser(
    text: str, folder: Path, widths: tuple[int, ...] = (375, 1280)
) -> dict[int, dict[str, Any]]:
    """Returns what a browser shows of a page at each width, everything that can be opened being open.

    Args:
        text: the page.
        folder: for what the browser writes.
        widths: of the window, in pixels.
    """
    quoted = json.dumps(text).replace("<", "\\u003c")
    harness = folder / "harness.html"
    harness.write_text(_HARNESS.replace("WIDTHS", json.dumps(widths)).replace("PAGE", quoted, 1))
    ended = subprocess.run(
        [CHROMIUM, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", harness.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    found = re.search(r"SEEN(\{.*\})SEEN", ended.stdout, re.DOTALL)
    assert found, ended.stdout[-2000:] + ended.stderr[-2000:]
    unescaped = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u00a0")
    return {int(width): of for width, of in json.loads(unescaped.replace("&amp;", "&")).items()}
