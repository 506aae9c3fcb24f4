"""The journey of a request inside Jupyter Server: the only place that knows tornado.web and jupyter_server."""
