"""Fails to start, as an application does whose configuration is incomplete. Its output says what to do."""

from __future__ import annotations

import sys
import time

print("measurements 2.1, starting", flush=True)
print("reading ~/.config/measurements.toml", flush=True)
time.sleep(0.3)
print("error: no database is configured", file=sys.stderr)
print("hint: set [database] url in ~/.config/measurements.toml, then try again", file=sys.stderr)
sys.exit(1)
