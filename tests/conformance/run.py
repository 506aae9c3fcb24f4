"""``make conformance``: all Autobahn cases in both directions, next to a direct connection.

python tests/conformance/run.py [CASE ...]      ids and patterns such as "1.*"; all without any
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from comparison import Comparison, compare_clients, compare_servers
from harness import Jupyter, free_port


def main() -> int:
    """Run, print, and return 1 if a case differs from the direct connection."""
    cases = sys.argv[1:] or ["*"]
    with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
        jupyter = Jupyter(Path(directory) / "server", log_level="INFO")
        try:
            jupyter.wait_ready()
            first, second = free_port(), free_port()
            servers = asyncio.run(compare_servers(jupyter.websocket_url(f"proxy/{first}/"), first, cases))
            show("fuzzing client -> proxy -> echo server", servers)
            clients = asyncio.run(
                compare_clients(lambda path: jupyter.websocket_url(f"proxy/{second}/{path}"), second, cases)
            )
            show("echoing client -> proxy -> fuzzing server", clients)
        finally:
            jupyter.stop()
    return 1 if servers.different or clients.different else 0


def show(direction: str, comparison: Comparison) -> None:
    """Print the figures, and each case that differs."""
    print(f"{time.strftime('%H:%M:%S')}  {direction}: {comparison.summary()}", flush=True)
    for case in comparison.different:
        print(f"    {case}: direct {comparison.direct.get(case)}, through the proxy {comparison.proxied.get(case)}")


if __name__ == "__main__":
    sys.exit(main())
