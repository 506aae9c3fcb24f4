"""The configuration behind `make demo`: six small applications that show what jupyter-server-proxy does.

Each entry of ``c.ServerProxy.servers`` is one application, reached at ``<Jupyter>/<name>/`` and started by its first
request. The page that links to all of them is ``<Jupyter>/demo-files/``.
"""

import os
import sys
from pathlib import Path

c = get_config()

demo = Path(__file__).resolve().parent
apps = demo / "apps"
icons = demo / "icons"

c.ServerProxy.servers = {
    # The simplest case: a program that takes a port. {port} is a free one.
    "demo-files": {
        "command": [sys.executable, "-m", "http.server", "{port}", "--bind=127.0.0.1", f"--directory={demo / 'site'}"],
        "launcher_entry": {"title": "Demo: start here", "icon_path": icons / "files.svg"},
    },
    # Websockets: two browser windows can chat.
    "demo-chat": {
        "command": [sys.executable, str(apps / "chat.py"), "--port={port}"],
        "launcher_entry": {"title": "Demo: chat", "icon_path": icons / "chat.svg"},
        "new_browser_tab": False,
    },
    # Takes its time to start and tells what it does; the timeout allows for that.
    "demo-slow": {
        "command": [sys.executable, str(apps / "slow.py"), "--port={port}"],
        "environment": {"DEMO_SECONDS": "8"},
        "timeout": 30,
        "launcher_entry": {"title": "Demo: slow start", "icon_path": icons / "slow.svg"},
    },
    # Never starts: what it printed is what helps.
    "demo-broken": {
        "command": [sys.executable, str(apps / "broken.py"), "--port={port}"],
        "launcher_entry": {"title": "Demo: fails to start", "icon_path": icons / "broken.svg"},
    },
    # Listens on a unix socket in a directory that only this user can enter, instead of on a port.
    "demo-inspector": {
        "command": [sys.executable, str(apps / "inspector.py"), "--unix-socket={unix_socket}"],
        "unix_socket": True,
        "launcher_entry": {"title": "Demo: request inspector", "icon_path": icons / "inspector.svg"},
    },
    # Speaks lines of text instead of HTTP. A page of demo-files talks to it through a websocket.
    "demo-raw": {
        "command": [sys.executable, str(apps / "calculator.py"), "--port={port}"],
        "raw_socket_proxy": True,
        "launcher_entry": {
            "title": "Demo: raw socket",
            "icon_path": icons / "raw.svg",
            "path_info": "demo-files/raw.html",
        },
    },
}

# JupyterLab shows the sources of the demo.
c.ServerApp.root_dir = str(demo)
# Containers often run as root; elsewhere Jupyter's own refusal to do so stands.
c.ServerApp.allow_root = os.getuid() == 0

# Prints the address of the start page when Jupyter is up.
sys.path.insert(0, str(demo))
c.ServerApp.jpserver_extensions = {"demo_welcome": True}
