"""Old import path of the launcher's handlers; see ``web.api``."""

from .extension.handlers import IconHandler, ServersInfoHandler

__all__ = ["IconHandler", "ServersInfoHandler"]
