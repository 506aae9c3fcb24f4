"""Inside a Jupyter server: configuration -> servers -> routes, and Jupyter's own login in front of them.

::

    app.py       wires everything into Jupyter Server, and stops every process when Jupyter stops
    door.py      who may pass: Jupyter's identity provider, authorizer, origin and host checks
    logins.py    which of these answers are remembered for a few seconds
    handlers.py  the handlers of ``web/`` on Jupyter's base classes
"""

from .app import ServerProxyExtension, load

__all__ = ["ServerProxyExtension", "load"]
