"""Draws docs/performance/files.svg from docs/performance/files.json: CPU as a multiple of the floor's, and memory.

python bench/chart.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

KEPT = Path(__file__).resolve().parents[1] / "docs/performance"
TITLES = {
    "1x2GiB": "1 x 2 GiB",
    "10x512MiB": "10 x 512 MiB at once",
    "2000x64KiB": "2,000 x 64 KiB, 32 at once",
}
NAMES = {
    "floor": "floor (libcurl + OpenSSL)",
    "penstock": "penstock",
    "penstock-relay": "penstock, relay",
    "obstore": "obstore",
    "boto3-crt": "boto3 with CRT",
    "boto3-unsigned": "boto3, unsigned payload",
    "boto3-classic": "boto3",
    "node": "Node, lib-storage",
}
ROW, BAR, LABEL, PANEL, GAP, TOP = 18, 12, 190, 250, 60, 26  # px


def bars(x: int, y: int, values: dict[str, float], unit: str) -> list[str]:
    widest = max(values.values())
    lines = []
    for number, (peer, value) in enumerate(values.items()):
        top = y + number * ROW
        width = round(value / widest * PANEL, 1)
        kind = "ours" if peer.startswith("penstock") else "theirs"
        text = f"{value:.2f} x" if unit == "x" else f"{value:.0f} {unit}"
        lines.append(f'<rect class="{kind}" x="{x}" y="{top}" width="{width}" height="{BAR}"/>')
        lines.append(f'<text x="{x + width + 5}" y="{top + BAR - 2}">{text}</text>')
    return lines


def draw(told: dict[str, Any]) -> str:
    lines, y = [], TOP
    for result in (r for r in told["results"] if r["scenario"] in TITLES):
        peers = {name: result["peers"][name] for name in NAMES if name in result["peers"]}
        floor = peers["floor"]["cpu"]
        lines.append(f'<text class="title" x="0" y="{y - 8}">{TITLES[result["scenario"]]}</text>')
        for number, peer in enumerate(peers):
            lines.append(f'<text x="0" y="{y + number * ROW + BAR - 2}">{NAMES[peer]}</text>')
        lines += bars(LABEL, y, {peer: of["cpu"] / floor for peer, of in peers.items()}, "x")
        lines += bars(LABEL + PANEL + GAP, y, {peer: of["rss"] for peer, of in peers.items()}, "MiB")
        y += len(peers) * ROW + 40
    width, height = LABEL + 2 * (PANEL + GAP) + 20, y - 30
    heads = [
        f'<text class="title" x="{LABEL}" y="18">CPU, times the floor</text>',
        f'<text class="title" x="{LABEL + PANEL + GAP}" y="18">peak memory</text>',
    ]
    style = (
        "text{font:11px sans-serif;fill:#444}.title{font-weight:bold;fill:#222}"
        ".ours{fill:#1f6f8b}.theirs{fill:#b8c4cc}"
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
            f'<style>{style}</style><rect width="{width}" height="{height}" fill="#fff"/>',
            *heads,
            *lines,
            "</svg>\n",
        ]
    )


def main() -> None:
    told = json.loads((KEPT / "files.json").read_text())
    (KEPT / "files.svg").write_text(draw(told))


if __name__ == "__main__":
    main()
