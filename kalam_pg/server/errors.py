"""What only the server raises."""

from storage.errors import KalamError


class ConnectionLostError(KalamError):
    """connection_failure: the client is gone, or stopped reading, so there is no one to answer."""

    sqlstate = "08006"
