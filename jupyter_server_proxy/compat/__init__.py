"""What packages written for 4.6 subclass, call and look into: old names over the same engine.

::

    proxy.py       ProxyHandler, LocalProxyHandler, RemoteProxyHandler, AddSlashHandler
    supervised.py  NamedLocalProxyHandler, SuperviseAndProxyHandler
    routes.py      make_handlers, setup_handlers, ServerProcess.make_proxy_handler

Nothing in the rest of the package needs these modules. They are imported by their old paths: ``handlers``, ``config``,
``unixsock``. Request bodies are collected here before a handler runs, as Tornado does; responses and upgraded
connections stream. Configured servers do not come this way, unless a subclass of ``ServerProcess`` overrides
``make_proxy_handler``.
"""
