"""Checks of request bodies and parameters that complain in the service's own words (FastAPI's error lists)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_benchmarks.testing.messages import HttpError, Request

#: Names of workspaces, filesets, metrics, benchmarks and jobs, as the entity store checks them.
NAME_PATTERN = r"^[a-z](?!.*--)[a-z0-9\-@.+_]{1,62}(?<!-)$"
#: What the files service checks first.
FILESET_PATTERN = r"^[\w\-.]+$"
REFERENCE_PATTERN = r"^[a-z0-9_-]+/[a-z0-9_-]+$"

_NOT_AN_OBJECT = "Input should be a valid dictionary or object to extract fields from"
_MISSING = object()


def problem(kind: str, loc: Sequence[str | int], message: str, value: Any, ctx: dict[str, Any] | None = None) -> Any:
    entry = {"type": kind, "loc": list(loc), "msg": message, "input": value}
    return entry if ctx is None else {**entry, "ctx": ctx}


def pattern_problem(loc: Sequence[str | int], value: str, pattern: str) -> dict[str, Any]:
    message = f"String should match pattern '{pattern}'"
    entry: dict[str, Any] = problem("string_pattern_mismatch", loc, message, value, {"pattern": pattern})
    return entry


def check_entity_name(name: str) -> None:
    """Refuse a name as the entity store does: its error list arrives as text, since a service in between quotes it."""
    if not re.match(NAME_PATTERN, name):
        raise HttpError(422, str([pattern_problem(["body", "name"], name, NAME_PATTERN)]))


class Fields:
    """Reads the fields of one object of a body, and collects what is wrong with them.

    :param loc: where the object is, as the errors tell it
    """

    def __init__(self, value: Any, loc: Sequence[str | int] = ("body",), *, errors: list[Any] | None = None) -> None:
        self.loc = list(loc)
        self.errors: list[Any] = [] if errors is None else errors
        self.value: Mapping[str, Any] = value if isinstance(value, dict) else {}
        self.is_object = isinstance(value, dict)
        if value is None and self.loc == ["body"]:
            self.errors.append(problem("missing", self.loc, "Field required", None))
        elif not self.is_object:
            self.errors.append(problem("model_attributes_type", self.loc, _NOT_AN_OBJECT, value))

    def done(self) -> None:
        """Raise what has been found."""
        if self.errors:
            raise HttpError(422, self.errors)

    def _get(self, name: str, *, required: bool, nullable: bool) -> Any:
        value = self.value.get(name, _MISSING)
        if value is _MISSING:
            if required and self.is_object:
                self.errors.append(problem("missing", [*self.loc, name], "Field required", self.value))
            return _MISSING
        return _MISSING if value is None and nullable else value

    def text(
        self, name: str, *, required: bool = False, nullable: bool = False, pattern: str | None = None
    ) -> str | None:
        value = self._get(name, required=required, nullable=nullable)
        if value is _MISSING:
            return None
        if not isinstance(value, str):
            self.errors.append(problem("string_type", [*self.loc, name], "Input should be a valid string", value))
            return None
        if pattern and not re.match(pattern, value):
            self.errors.append(pattern_problem([*self.loc, name], value, pattern))
        return value

    def choice(self, name: str, options: Sequence[str], *, kind: str = "literal_error") -> str | None:
        value = self._get(name, required=True, nullable=False)
        if value is _MISSING:
            return None
        if value not in options:
            expected = any_of(options)
            self.errors.append(
                problem(kind, [*self.loc, name], f"Input should be {expected}", value, {"expected": expected})
            )
        return str(value)

    def mapping(self, name: str, *, required: bool = False) -> dict[str, Any] | None:
        value = self._get(name, required=required, nullable=not required)
        if value is _MISSING:
            return None
        if not isinstance(value, dict):
            self.errors.append(problem("dict_type", [*self.loc, name], "Input should be a valid dictionary", value))
            return None
        return value

    def integer(self, name: str, default: int | None, *, at_least: int | None = None) -> int | None:
        value = self._get(name, required=False, nullable=default is None)
        if value is _MISSING:
            return default
        number, complaint = _as_integer(value)
        if complaint:
            self.errors.append(problem(complaint[0], [*self.loc, name], complaint[1], value))
        elif at_least is not None and number < at_least:
            message = f"Input should be greater than or equal to {at_least}"
            self.errors.append(problem("greater_than_equal", [*self.loc, name], message, value, {"ge": at_least}))
        return number

    def boolean(self, name: str, default: bool) -> bool:
        value = self._get(name, required=False, nullable=False)
        if value is _MISSING:
            return default
        if not isinstance(value, bool):
            self.errors.append(problem("bool_type", [*self.loc, name], "Input should be a valid boolean", value))
        return bool(value)

    def forbid_others(self, known: Collection[str]) -> None:
        for name, value in self.value.items():
            if name not in known:
                message = "Extra inputs are not permitted"
                self.errors.append(problem("extra_forbidden", [*self.loc, name], message, value))


def _as_integer(value: Any) -> tuple[int, tuple[str, str] | None]:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0, ("int_type", "Input should be a valid integer")
    if isinstance(value, str):
        try:
            return int(value), None
        except ValueError:
            return 0, ("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
    if value != int(value):
        return 0, ("int_from_float", "Input should be a valid integer, got a number with a fractional part")
    return int(value), None


def any_of(options: Sequence[str]) -> str:
    """Word a choice: ``'a', 'b' or 'c'``."""
    quoted = [f"'{option}'" for option in options]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]


def query_integer(request: Request, name: str, default: int, *, at_most: int | None = None) -> int:
    """Read a positive integer of the query.

    :raises HttpError: 422
    """
    raw = request.query.get(name)
    if raw is None:
        return default
    text, loc = raw[-1], ["query", name]
    try:
        number = int(text)
    except ValueError:
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise HttpError(422, [problem("int_parsing", loc, message, text)]) from None
    if number <= 0:
        entry = problem("greater_than", loc, "Input should be greater than 0", text, {"gt": 0})
        raise HttpError(422, [entry])
    if at_most is not None and number > at_most:
        message = f"Input should be less than or equal to {at_most}"
        raise HttpError(422, [problem("less_than_equal", loc, message, text, {"le": at_most})])
    return number


def query_choice(request: Request, name: str, options: Sequence[str], *, default: str, kind: str) -> str:
    """Read one of the options.

    :raises HttpError: 422
    """
    raw = request.query.get(name)
    if raw is None:
        return default
    if raw[-1] not in options:
        expected = any_of(options)
        entry = problem(kind, ["query", name], f"Input should be {expected}", raw[-1], {"expected": expected})
        raise HttpError(422, [entry])
    return raw[-1]


def forbid_other_parameters(request: Request, allowed: Iterable[str]) -> None:
    """Refuse query parameters that a list does not know; ``filter[…]`` counts as ``filter``."""
    known = list(allowed)
    extra = [name for name in request.query if name.split("[", 1)[0] not in known]
    if extra:
        names = ", ".join(sorted(extra))
        raise HttpError(400, f"Unsupported query parameter(s): {names}. Allowed parameters: {', '.join(known)}")
