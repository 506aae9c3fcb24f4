"""`python -m jupyter_server_proxy.standalone`: the same as `jupyter standaloneproxy`."""

from . import main

main()
