"""The state of a watcher, which Airflow stores with the asset from 3.3 on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airflow_provider_benchmarks.storable import storable
from airflow_provider_benchmarks.triggers._airflow_requests import request_airflow

logger = logging.getLogger(__name__)

#: Seconds after which Airflow has stored an event in its database. A state that is stored before could say that an
#: event was fired which is lost.
EVENT_STORED_SECONDS = 5.0
#: Seconds that one attempt to store the state may take.
STORE_TIMEOUT_SECONDS = 5.0
#: Number of attempts to load the state.
LOAD_ATTEMPTS = 5
#: Seconds between two of these attempts.
LOAD_RETRY_SECONDS = 2.0


@dataclass(slots=True)
class WatcherState:
    """What a watcher knows after a restart of the triggerer.

    A state is stored some seconds after the events that led to it, and not before: only then are they in Airflow's
    database. In a burst it is stored again and again, with the events so far. When a triggerer stops, it is not stored:
    Airflow drops the events of the last second then, and to fire an event twice is better than never.

    :param stored: the state as it was stored last; None where there is none, or where Airflow stores none
    """

    stored: dict[str, Any] | None
    _store: Any
    _key: str
    _state: Callable[[], dict[str, Any]] | None = None
    _saving: asyncio.Task[None] | None = None

    @classmethod
    async def load(cls, store: Any, *identity: Any) -> WatcherState:
        """Load the state of a trigger.

        :param store: the trigger's ``asset_state_store``, or None
        :param identity: plain values that differ from those of the other triggers of the same asset
        """
        key = f"watcher-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]}"
        stored = None
        for attempt in range(LOAD_ATTEMPTS):
            if store is None:
                break
            try:
                stored = await request_airflow(store.aget, key)
                break
            except Exception as error:  # noqa: BLE001  a watcher works without a state, too
                if isinstance(error, ValueError) or attempt == LOAD_ATTEMPTS - 1:
                    logger.warning(
                        "Airflow's state of the asset can't be used, so jobs that finish while no triggerer runs make "
                        "no events. Each asset needs a trigger of its own. %s",
                        error,
                    )
                    store = None
                else:
                    await asyncio.sleep(LOAD_RETRY_SECONDS)
        stored = stored if isinstance(stored, dict) else None
        return cls(stored, store, key)

    def save_soon(self, state: Callable[[], dict[str, Any]]) -> None:
        """Store a state as soon as the events so far are in Airflow's database.

        :param state: returns what is to be stored, without the events that are not fired yet
        """
        if self._store is None:
            return
        self._state = state
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save())

    async def _save(self) -> None:
        while self._state is not None:
            state, self._state = storable(self._state()), None
            if state == self.stored:
                continue
            await asyncio.sleep(EVENT_STORED_SECONDS)
            try:
                await asyncio.wait_for(request_airflow(self._store.aset, self._key, state), STORE_TIMEOUT_SECONDS)
                self.stored = state
            except Exception as error:  # noqa: BLE001  the events were fired, and the next poll stores a state again
                logger.warning(
                    "The watcher's state can't be stored, and its last events may be fired again after a restart: %s",
                    error,
                )

    async def close(self) -> None:
        if self._saving is not None:
            self._saving.cancel()
            with suppress(asyncio.CancelledError):
                await self._saving
