"""A named entity of the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Entity:
    """A workspace, metric, benchmark or stored result.

    :param fields: the fields of its kind
    """

    name: str
    workspace: str
    created_at: str
    id: str
    fields: dict[str, Any]
