"""Let a thread enter a pool of connections that it is in already.

Python closes an answer that nobody reads to its end when it collects it. That can happen at any moment, also while the
same thread is in the pool for another request. httpcore's lock would then wait for itself for ever.
"""

from __future__ import annotations

import threading
from typing import Any

import httpcore
import httpx


def allow_reentry(client: httpx.Client) -> None:
    """Let the thread that holds the lock of one of a client's pools take it again."""
    for transport in (client._transport, *client._mounts.values()):
        # httpx and httpcore have no argument for it. A transport of the caller's own keeps its lock.
        pool: Any = getattr(transport, "_pool", None)
        lock: Any = getattr(pool, "_optional_thread_lock", None)
        if isinstance(pool, httpcore.ConnectionPool) and hasattr(lock, "_lock"):
            lock._lock = threading.RLock()
