"""Validates request bodies and parameters. Errors have the service's own wording (FastAPI's error lists)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError

#: Names of workspaces, filesets, metrics, benchmarks and jobs: the entity store's rule.
NAME_PATTERN = r"^[a-z](?!.*--)[a-z0-9\-@.+_]{1,62}(?<!-)$"
#: Names of filesets: the files service checks this first.
FILESET_PATTERN = r"^[\w\-.]+$"
REFERENCE_PATTERN = r"^[a-z0-9_-]+/[a-z0-9_-]+$"

_NOT_AN_OBJECT = "Input should be a valid dictionary or object to extract fields from"
_MISSING = object()


def validation_error(
    kind: str, loc: Sequence[str | int], message: str, value: Any, ctx: dict[str, Any] | None = None
) -> Any:
    entry = {"type": kind, "loc": list(loc), "msg": message, "input": value}
    return entry if ctx is None else {**entry, "ctx": ctx}


def pattern_error(loc: Sequence[str | int], value: str, pattern: str) -> dict[str, Any]:
    message = f"String should match pattern '{pattern}'"
    entry: dict[str, Any] = validation_error("string_pattern_mismatch", loc, message, value, {"pattern": pattern})
    return entry


def check_entity_name(name: str) -> None:
    """Reject a name as the entity store does. Its error list is text: a service in between quotes it."""
    if not re.match(NAME_PATTERN, name):
        raise HttpError(422, str([pattern_error(["body", "name"], name, NAME_PATTERN)]))


class Fields:
    """Reads the fields of one object of a body and collects their errors.

    :param loc: location of the object, as the errors name it
    :param errors: list to add errors to; a new one by default
    """

    def __init__(self, value: Any, loc: Sequence[str | int] = ("body",), *, errors: list[Any] | None = None) -> None:
        self.loc = list(loc)
        self.errors: list[Any] = [] if errors is None else errors
        self.value: Mapping[str, Any] = value if isinstance(value, dict) else {}
        self.is_object = isinstance(value, dict)
        if value is None and self.loc == ["body"]:
            self.errors.append(validation_error("missing", self.loc, "Field required", None))
        elif not self.is_object:
            self.errors.append(validation_error("model_attributes_type", self.loc, _NOT_AN_OBJECT, value))

    def raise_errors(self) -> None:
        """Raise the collected errors, if there are any.

        :raises HttpError: 422
        """
        if self.errors:
            raise HttpError(422, self.errors)

    def _get(self, name: str, *, required: bool, nullable: bool) -> Any:
        value = self.value.get(name, _MISSING)
        if value is _MISSING:
            if required and self.is_object:
                self.errors.append(validation_error("missing", [*self.loc, name], "Field required", self.value))
            return _MISSING
        return _MISSING if value is None and nullable else value

    def text(
        self, name: str, *, required: bool = False, nullable: bool = False, pattern: str | None = None
    ) -> str | None:
        value = self._get(name, required=required, nullable=nullable)
        if value is _MISSING:
            return None
        if not isinstance(value, str):
            self.errors.append(
                validation_error("string_type", [*self.loc, name], "Input should be a valid string", value)
            )
            return None
        if pattern and not re.match(pattern, value):
            self.errors.append(pattern_error([*self.loc, name], value, pattern))
        return value

    def choice(self, name: str, options: Sequence[str], *, kind: str = "literal_error") -> str | None:
        value = self._get(name, required=True, nullable=False)
        if value is _MISSING:
            return None
        if value not in options:
            expected = any_of(options)
            self.errors.append(
                validation_error(kind, [*self.loc, name], f"Input should be {expected}", value, {"expected": expected})
            )
        return str(value)

    def mapping(self, name: str, *, required: bool = False) -> dict[str, Any] | None:
        value = self._get(name, required=required, nullable=not required)
        if value is _MISSING:
            return None
        if not isinstance(value, dict):
            self.errors.append(
                validation_error("dict_type", [*self.loc, name], "Input should be a valid dictionary", value)
            )
            return None
        return value

    def sequence(self, name: str) -> list[Any]:
        """Read a list that must be there."""
        value = self._get(name, required=True, nullable=False)
        if value is _MISSING:
            return []
        if not isinstance(value, list):
            self.errors.append(validation_error("list_type", [*self.loc, name], "Input should be a valid list", value))
            return []
        return value

    def integer(self, name: str, default: int | None, *, at_least: int | None = None) -> int | None:
        value = self._get(name, required=False, nullable=default is None)
        if value is _MISSING:
            return default
        number, error = _as_integer(value)
        if error:
            self.errors.append(validation_error(error[0], [*self.loc, name], error[1], value))
        elif at_least is not None and number < at_least:
            message = f"Input should be greater than or equal to {at_least}"
            self.errors.append(
                validation_error("greater_than_equal", [*self.loc, name], message, value, {"ge": at_least})
            )
        return number

    def boolean(self, name: str, default: bool) -> bool:
        value = self._get(name, required=False, nullable=False)
        if value is _MISSING:
            return default
        if not isinstance(value, bool):
            self.errors.append(
                validation_error("bool_type", [*self.loc, name], "Input should be a valid boolean", value)
            )
        return bool(value)

    def forbid_others(self, known: Collection[str]) -> None:
        for name, value in self.value.items():
            if name not in known:
                message = "Extra inputs are not permitted"
                self.errors.append(validation_error("extra_forbidden", [*self.loc, name], message, value))


def _as_integer(value: Any) -> tuple[int, tuple[str, str] | None]:
    """Return the integer, or the type and message of the error."""
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
    """Return options as text: ``'a', 'b' or 'c'``."""
    quoted = [f"'{option}'" for option in options]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]


def query_integer(request: Request, name: str, default: int, *, at_most: int | None = None) -> int:
    """Read a positive integer from the query.

    :raises HttpError: 422, it is not one, or larger than ``at_most``
    """
    values = request.query.get(name)
    if values is None:
        return default
    text, loc = values[-1], ["query", name]
    try:
        number = int(text)
    except ValueError:
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise HttpError(422, [validation_error("int_parsing", loc, message, text)]) from None
    if number <= 0:
        entry = validation_error("greater_than", loc, "Input should be greater than 0", text, {"gt": 0})
        raise HttpError(422, [entry])
    if at_most is not None and number > at_most:
        message = f"Input should be less than or equal to {at_most}"
        raise HttpError(422, [validation_error("less_than_equal", loc, message, text, {"le": at_most})])
    return number


def query_choice(request: Request, name: str, options: Sequence[str], *, default: str, kind: str) -> str:
    """Read one of some options from the query.

    :raises HttpError: 422, it is none of them
    """
    raw = request.query.get(name)
    if raw is None:
        return default
    if raw[-1] not in options:
        expected = any_of(options)
        entry = validation_error(kind, ["query", name], f"Input should be {expected}", raw[-1], {"expected": expected})
        raise HttpError(422, [entry])
    return raw[-1]


def forbid_other_parameters(request: Request, allowed: Iterable[str]) -> None:
    """Reject unknown query parameters of a list; ``filter[…]`` counts as ``filter``.

    :raises HttpError: 400
    """
    known = list(allowed)
    extra = [name for name in request.query if name.split("[", 1)[0] not in known]
    if extra:
        names = ", ".join(sorted(extra))
        raise HttpError(400, f"Unsupported query parameter(s): {names}. Allowed parameters: {', '.join(known)}")
