"""The shell command ``jupyter server-proxy``: what the REST API can do, and ``doctor``, which needs no Jupyter.

``main`` has the arguments and the exit codes, ``running`` finds Jupyter, ``client`` talks to it, ``commands`` does what
was asked. Nothing imports this package; importing it stays cheap, because a command should be quick.
"""
