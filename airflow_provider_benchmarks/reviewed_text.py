"""The text of a file that people write and review, as plain data, and the line of each part of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from airflow_provider_benchmarks.brief import followed, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError

#: Maximum size, enough for a thousand checks. DAGs are parsed with it, and this much YAML takes more than a second.
MAX_BYTES = 128 * 1024
#: Maximum depth of lists and mappings; a policy needs five, the metrics of a benchmark some eight.
_MAX_DEPTH = 20
#: Maximum number of values, keys, lists and mappings; a check has some ten.
_MAX_NODES = 10_000
#: Maximum number of characters of all the mistakes that one message has, and of each.
_MOST_CHARACTERS, _MOST_WORDS = 1200, 400
_TAG = "tag:yaml.org,2002:"
_TEXT = f"{_TAG}str"
#: How YAML 1.2 writes what is no text, without numbers such as 010, which parsers read differently. In YAML 1.1, which
#: PyYAML reads, ``no`` is false, ``1:30`` is 90, and ``1e-3`` is a text.
_SCALARS = {
    "null": ("~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": ("true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": ("[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    "float": (r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
}
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a file is, for messages.

    :param noun: ``a policy``
    :param shape: what it consists of, a sentence without its end, for one that is nested too deeply
    :param part: what is to be written in full, without anchors
    :param smaller: what to do about one that is too large, a sentence
    """

    noun: str
    shape: str
    part: str
    smaller: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a part of a file.

    :param path: of the part
    :param words: what is wrong, and what was meant
    :param known: a sentence with all that there may be instead; of several mistakes with the same one it is told once
    """

    path: tuple[str | int, ...]
    words: str
    known: str = ""


@dataclass(frozen=True, slots=True)
class ReviewedText:
    """The content of a file as plain data, and the lines of its parts.

    :param name: of the file
    """

    data: Any
    name: str
    _root: yaml.Node | None

    @classmethod
    def read(cls, text: str | bytes, name: str, kind: Kind) -> ReviewedText:
        """Read JSON, or else YAML; a file with a name in ``.json`` must be JSON.

        :raises ConfigurationError: it is neither, is too large or too deep, has too many values or a key twice, or has
            what JSON has not: anchors and tags; says in which line
        """
        if len(text) > MAX_BYTES:
            raise ConfigurationError(
                f"{name} is larger than the {MAX_BYTES:,} bytes that {kind.noun} may have. {kind.smaller}"
            )
        try:
            decoded = (text.decode() if isinstance(text, bytes) else text).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            problem = f"{error.reason}, byte {error.start + 1}"
            raise ConfigurationError(f"{name} is no text in UTF-8: {problem}. Save it as UTF-8.") from error
        try:
            data = json.loads(decoded)
        except RecursionError as error:
            raise _too_deep(name, kind) from error
        except ValueError as error:
            if name.lower().endswith(".json"):
                raise ConfigurationError(f"{name} is not JSON: {shortened(error)}") from error
            return cls(*_read_yaml(decoded, name, kind))
        return cls(data, name, _JsonNodes(decoded, name, kind).root())

    def error(self, path: tuple[str | int, ...], problem: str) -> ConfigurationError:
        """An error with the line of the value at a path, or of the nearest value around it."""
        return ConfigurationError(f"{self.name}{self._line_at(path)}: {problem}")

    def errors(self, mistakes: Sequence[Mistake]) -> ConfigurationError:
        """One error of several mistakes, each with its place and its line; of one alone as :meth:`error` makes it."""
        if len(mistakes) == 1:
            (only,) = mistakes
            return self.error(only.path, followed(only.words, only.known))
        shown, known, length = list[str](), dict[str, None](), 0
        for mistake in mistakes:
            where = f"{place(mistake.path) or 'the file'}{self._line_at(mistake.path)}"
            words = f"- {where}: {shortened(mistake.words, _MOST_WORDS)}"
            length += len(words)
            if length > _MOST_CHARACTERS:
                shown.append(f"- and {len(mistakes) - len(shown):,} more")
                break
            shown.append(words)
            known |= dict.fromkeys([mistake.known] if mistake.known else [])
        return ConfigurationError("\n".join([f"{self.name}: {len(mistakes):,} mistakes", *shown, *known]))

    def _line_at(self, path: tuple[str | int, ...]) -> str:
        return "" if self._root is None else f", line {_line(_found(self._root, path).start_mark)}"


def place(path: tuple[str | int, ...]) -> str:
    """A path as people write it: ``checks[2].where.level``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{shortened(step, 40)}" for step in path)
    return "".join(steps).removeprefix(".")


def _found(root: yaml.Node, path: tuple[str | int, ...]) -> yaml.Node:
    node: yaml.Node | None = root
    place = root
    for step in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = place = node.value[step]
        elif isinstance(node, yaml.MappingNode):
            place, node = next((entry for entry in node.value if entry[0].value == step), (place, None))
    return place


def _line(mark: yaml.Mark) -> int:
    line: int = mark.line
    return line + 1


def _too_deep(where: str, kind: Kind) -> ConfigurationError:
    return ConfigurationError(f"{where}: nested too deeply. {kind.shape}, and needs no more than {_MAX_DEPTH} levels.")


def _too_many(where: str, kind: Kind) -> ConfigurationError:
    return ConfigurationError(f"{where}: more than the {_MAX_NODES:,} values that {kind.noun} may have. {kind.smaller}")


class _Loader(yaml.SafeLoader):
    """The part of YAML that JSON has too, with the words and numbers of YAML 1.2, as editors read them."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  as PyYAML has it

    def __init__(self, text: str, name: str, kind: Kind) -> None:
        super().__init__(text)
        self.name = name
        self._kind = kind
        self._depth = self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        where = f"{self.name}, line {_line(event.start_mark)}"
        if event.anchor is not None:  # a few hundred bytes of them can expand to gigabytes
            raise ConfigurationError(
                f"{where}: anchors and aliases (& and *) are not taken: write each {self._kind.part} in full"
            )
        if getattr(event, "tag", None) is not None:
            tag = shortened(event.tag.removeprefix(_TAG))
            raise ConfigurationError(
                f"{where}: {self._kind.noun} holds texts, numbers, true, false, null, lists and mappings, found the "
                f"tag {tag}: leave it out, and put a text into quotation marks"
            )
        if self._depth == _MAX_DEPTH:
            raise _too_deep(where, self._kind)
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise _too_many(where, self._kind)
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, self.name)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # Python parses no number of more than 4,300 digits
            where = f"{self.name}, line {_line(node.start_mark)}"
            raise ConfigurationError(f"{where}: {shortened(node.value, 40)} is too long for a number") from error


for _name, (_pattern, _starts) in _SCALARS.items():
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"(?:{_pattern})$"), _starts)


def _read_yaml(text: str, name: str, kind: Kind) -> tuple[Any, str, yaml.Node | None]:
    try:
        loader = _Loader(text, name, kind)
        root = loader.get_single_node()
        return None if root is None else loader.construct_document(root), name, root
    except ConfigurationError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}, line {_line(mark)}," if mark else name
        problem = ", ".join(shortened(part) for part in (error.context, error.problem) if part)
        raise ConfigurationError(f"{where} is not YAML: {problem}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter of escapes such as "\UFFFFFFFF"
        raise ConfigurationError(f"{name} is not YAML: {shortened(error)}") from error


def _check_keys(node: yaml.MappingNode, name: str) -> None:
    """Refuse duplicate keys, which plain data does not have."""
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = _line(key.start_mark)
        if key.tag != _TEXT:
            found = shortened(key.value) if isinstance(key, yaml.ScalarNode) else f"a {key.id}"
            quote = ""
            if isinstance(key, yaml.MappingNode):  # {{…}} is a mapping with a mapping as its key
                quote = '. Put a template such as "{{item.output}}" into quotation marks'
            raise ConfigurationError(f"{name}, line {line}: expected a name as key, found {found}{quote}")
        if key.value in lines:
            both = f"in line {lines[key.value]} and in line {line}"
            raise ConfigurationError(f'{name}, line {line}: "{shortened(key.value)}" is there twice, {both}; keep one')
        lines[key.value] = line


class _JsonNodes:
    """Parses valid JSON into PyYAML's nodes, which have line numbers.

    PyYAML itself refuses tabs, and reads some texts of JSON differently.
    """

    def __init__(self, text: str, name: str, kind: Kind) -> None:
        self._tokens = self._with_marks(text)
        self._name = name
        self._kind = kind
        self._nodes = 0

    def root(self) -> yaml.Node:
        return self._node(*next(self._tokens), _MAX_DEPTH)

    @staticmethod
    def _with_marks(text: str) -> Iterator[tuple[str, yaml.Mark]]:
        line = end = 0
        for found in _JSON_TOKEN.finditer(text):
            line += text.count("\n", end, found.start())
            end = found.start()
            yield found[0], yaml.Mark("", end, line, 0, None, 0)

    def _node(self, token: str, mark: yaml.Mark, levels: int) -> yaml.Node:
        """Return the node of a JSON value that begins with a token.

        :param levels: number of levels that it may have
        """
        where = f"{self._name}, line {_line(mark)}"
        if not levels:
            raise _too_deep(where, self._kind)
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise _too_many(where, self._kind)
        if token == "[":
            members = [self._node(*each, levels - 1) for each in self._until("]")]
            return yaml.SequenceNode(f"{_TAG}seq", members, mark)
        if token != "{":
            return yaml.ScalarNode(_TEXT, json.loads(token), mark)
        entries = []
        for key in self._until("}"):
            next(self._tokens)  # the colon
            entries.append((self._node(*key, levels), self._node(*next(self._tokens), levels - 1)))
        node = yaml.MappingNode(f"{_TAG}map", entries, mark)
        _check_keys(node, self._name)
        return node

    def _until(self, end: str) -> Iterator[tuple[str, yaml.Mark]]:
        """The first token of each member."""
        for token, mark in self._tokens:
            if token == end:
                return
            if token != ",":
                yield token, mark
