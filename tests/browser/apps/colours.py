"""Writes each colour of terminals on each other one; then it is what ``slow.py`` is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOREGROUNDS = [39, *range(30, 38), *range(90, 98)]
BACKGROUNDS = [49, *range(40, 48), *range(100, 108)]

if __name__ == "__main__":
    for back in BACKGROUNDS:
        for style in (0, 1, 2):
            print(*(f"\x1b[{style};{fore};{back}mcolour\x1b[0m" for fore in FOREGROUNDS))
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, str(Path(__file__).with_name("slow.py")), *sys.argv[1:]])
