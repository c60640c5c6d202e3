"""The text of a policy file as plain data, and the line of each part of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from airflow_provider_benchmarks.exceptions import ConfigurationError

_TAG = "tag:yaml.org,2002:"
_TEXT, _MERGE = f"{_TAG}str", f"{_TAG}merge"
#: How YAML 1.2 writes what is no text, without numbers such as 010, which readers take differently. In YAML 1.1, which
#: PyYAML reads, ``no`` is false, ``1:30`` is 90, and ``1e-3`` is a text.
_SCALARS = {
    "null": ("~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": ("true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": ("[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    "float": (r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    "merge": ("<<", ["<"]),
}
#: What JSON has too.
_PLAIN = {f"{_TAG}{name}" for name in ("str", "null", "bool", "int", "float", "seq", "map")}
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


@dataclass(frozen=True, slots=True)
class PolicyText:
    """What a file says, and where.

    :param data: as plain data
    :param name: of the file
    """

    data: Any
    name: str
    _root: yaml.Node | None

    @classmethod
    def read(cls, text: str | bytes, name: str) -> PolicyText:
        """Read JSON, or else YAML; a file with a name in ``.json`` must be JSON.

        :raises ConfigurationError: it is neither, has a key twice, or holds what JSON can't; says in which line
        """
        try:
            decoded = (text.decode() if isinstance(text, bytes) else text).removeprefix("\ufeff")
            try:
                data, root = json.loads(decoded), _JsonNodes(decoded).root()
            except ValueError as error:
                if name.lower().endswith(".json"):
                    raise ConfigurationError(f"{name} is not JSON: {error}") from error
                return cls(*_read_yaml(decoded, name))
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{name} is no text in UTF-8: {error}") from error
        except RecursionError as error:
            raise ConfigurationError(f"{name} is nested too deeply") from error
        _check_nodes(root, name)
        return cls(data, name, root)

    def error(self, path: tuple[str | int, ...], problem: str) -> ConfigurationError:
        """An error that tells the line of what is at a path, or of the nearest thing around it."""
        line = "" if self._root is None else f", line {_line(_found(self._root, path))}"
        return ConfigurationError(f"{self.name}{line}: {problem}")


def _found(root: yaml.Node, path: tuple[str | int, ...]) -> yaml.Node:
    node: yaml.Node | None = root
    place = root
    for step in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = place = node.value[step]
        elif isinstance(node, yaml.MappingNode):
            # The last one: what comes from ``<<`` stands before what takes its place.
            entries = [entry for entry in node.value if entry[0].value == step]
            place, node = entries[-1] if entries else (place, None)
    return place


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line
    return line + 1


class _Loader(yaml.SafeLoader):
    """YAML with the words and numbers of YAML 1.2, as JSON and editors have them."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  as PyYAML has it

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError) as error:  # such as ``!!int x``
            problem = f"{node.value} is no {node.tag.removeprefix(_TAG)}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


for _name, (_pattern, _starts) in _SCALARS.items():
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"(?:{_pattern})$"), _starts)


def _read_yaml(text: str, name: str) -> tuple[Any, str, yaml.Node | None]:
    try:
        loader = _Loader(text)
        loader.name = name
        root = loader.get_single_node()
        if root is None:
            return None, name, None
        _check_nodes(root, name)
        return loader.construct_document(root), name, root
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name} is not YAML: {error}") from error


def _check_nodes(root: yaml.Node, name: str) -> None:
    """Refuse what plain data would not show: keys that come twice, and values that JSON has none of."""
    known: set[int] = set()
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if id(node) in known:  # an alias
            continue
        known.add(id(node))
        if node.tag not in _PLAIN:
            raise ConfigurationError(
                f"{name}, line {_line(node)}: a policy holds texts, numbers, true, false, null, lists and mappings, "
                f"found {node.tag.removeprefix(_TAG)}"
            )
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, name)
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


def _check_keys(node: yaml.MappingNode, name: str) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if key.tag not in (_TEXT, _MERGE):
            found = key.value if isinstance(key, yaml.ScalarNode) else f"a {key.id}"
            raise ConfigurationError(f"{name}, line {_line(key)}: expected a name as key, found {found}")
        if key.value in lines:
            both = f"in line {lines[key.value]} and in line {_line(key)}"
            raise ConfigurationError(f'{name}, line {_line(key)}: "{key.value}" is there twice, {both}; keep one')
        lines[key.value] = _line(key)


class _JsonNodes:
    """Valid JSON as the nodes that YAML is composed of, which know their lines.

    PyYAML takes no tabs, and reads some texts of JSON differently.
    """

    def __init__(self, text: str) -> None:
        self._tokens = self._with_marks(text)

    def root(self) -> yaml.Node:
        return self._node(*next(self._tokens))

    @staticmethod
    def _with_marks(text: str) -> Iterator[tuple[str, yaml.Mark]]:
        line = end = 0
        for found in _JSON_TOKEN.finditer(text):
            line += text.count("\n", end, found.start())
            end = found.start()
            yield found[0], yaml.Mark("", end, line, 0, None, 0)

    def _node(self, token: str, mark: yaml.Mark) -> yaml.Node:
        if token == "[":
            return yaml.SequenceNode(f"{_TAG}seq", [self._node(*each) for each in self._until("]")], mark)
        if token != "{":
            return yaml.ScalarNode(_TEXT, json.loads(token), mark)
        entries = []
        for key in self._until("}"):
            next(self._tokens)  # the colon
            entries.append((self._node(*key), self._node(*next(self._tokens))))
        return yaml.MappingNode(f"{_TAG}map", entries, mark)

    def _until(self, end: str) -> Iterator[tuple[str, yaml.Mark]]:
        """The first token of each member."""
        for token, mark in self._tokens:
            if token == end:
                return
            if token != ",":
                yield token, mark
