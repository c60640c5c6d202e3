"""Things that all triggers of an event loop share, one for each key."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class _Shared(Protocol):
    @property
    def is_over(self) -> bool: ...


T = TypeVar("T", bound=_Shared)


class PerLoop(Generic[T]):
    """What is shared, by event loop and key. Each thing lives in its event loop; several threads may have one."""

    def __init__(self) -> None:
        self._things: dict[tuple[asyncio.AbstractEventLoop, Hashable], T] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._things)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The thing of the running event loop; made where there is none, or one that is over."""
        loop = asyncio.get_running_loop()
        with self._lock:
            for stale in [known for known in self._things if known[0].is_closed()]:
                del self._things[stale]
            thing = self._things.get((loop, key))
            if thing is None or thing.is_over:
                thing = self._things[loop, key] = make()
            return thing

    def drop(self, key: Hashable, thing: T) -> None:
        """Forget a thing of the running event loop, unless another one has its place by now."""
        place = asyncio.get_running_loop(), key
        with self._lock:
            if self._things.get(place) is thing:
                del self._things[place]
