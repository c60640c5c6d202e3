"""Objects that all triggers of an event loop share, one for each key."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class _Shared(Protocol):
    @property
    def is_done(self) -> bool: ...


T = TypeVar("T", bound=_Shared)


class EventLoopRegistry(Generic[T]):
    """Shared objects by event loop and key. Each lives in its event loop; several threads may each have a loop."""

    def __init__(self) -> None:
        self._objects: dict[tuple[asyncio.AbstractEventLoop, Hashable], T] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the object of the running event loop; make one if there is none, or if it is done."""
        loop = asyncio.get_running_loop()
        with self._lock:
            for stale in [known for known in self._objects if known[0].is_closed()]:
                del self._objects[stale]
            shared = self._objects.get((loop, key))
            if shared is None or shared.is_done:
                shared = self._objects[loop, key] = make()
            return shared

    def remove(self, key: Hashable, shared: T) -> None:
        """Remove an object of the running event loop, unless another one has replaced it."""
        place = asyncio.get_running_loop(), key
        with self._lock:
            if self._objects.get(place) is shared:
                del self._objects[place]
