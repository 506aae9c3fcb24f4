"""Old import path of the launcher's handlers; see ``web.api``."""

from .web.api import IconHandler, ServersInfoHandler

__all__ = ["IconHandler", "ServersInfoHandler"]
