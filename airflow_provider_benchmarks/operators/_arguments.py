"""What the arguments of tasks may be, checked while the DAG is parsed and again when templates are rendered.

A template may give anything: the number 2026 for a name of digits, None for an upstream task that returned nothing, or
the text "None" of it.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.brief import brief, brief_names, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.jobs.identity import NAME_PATTERN, NOT_A_NAME
from airflow_provider_benchmarks.operators._final_errors import ConfigurationError as FinalConfigurationError
from airflow_provider_benchmarks.operators._places import (
    Use,
    configured_store,
    doubt_about,
    place_problem,
    template_problem,
)
from airflow_provider_benchmarks.scores.local_paths import refuse_password
from airflow_provider_benchmarks.scores.metric_names import checked_references

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

#: Texts that templates make of nothing, and of what is no number. In the DAG file itself they may be names of paths
#: and jobs; but the whole text "None" is what Python makes of nothing there, too.
_NOTHING = ("None", "nan", "NaN", "null")
#: A part of a path that is such a text, and a file that is called so.
_NOTHING_IN_PATH = re.compile(rf"(?:^|/)(?:{'|'.join(_NOTHING)}|None(?:\.[^/]*)?)(?=/|$)")


#: What a template is replaced by when the text has been rendered.
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


_WORDING = "{name} must be {expected}, found {value}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What an argument may be.

    :param expected: in words: ``a text``
    :param accepts: True for a value that it may be
    :param wording: what is wrong with another one
    :param optional_words: what follows ``expected`` where None is accepted, too
    :param accepts_literally: True for a value that it may be where the DAG file itself says so, and no template has
        made it of nothing
    :param use: of the file or folder that it names, in whose URL no password belongs
    """

    expected: str
    accepts: Callable[[Any], bool]
    wording: str = _WORDING
    optional_words: str = ", or None"
    accepts_literally: Callable[[Any], bool] = field(default=lambda value: False)
    use: Use | None = None

    def or_none(self) -> Rule:
        return replace(
            self,
            expected=f"{self.expected}{self.optional_words}",
            accepts=lambda value: value is None or self.accepts(value),
        )

    def problem(self, name: str, value: Any) -> str:
        wording = self.wording if isinstance(value, str) or "{text}" not in self.wording else _WORDING
        return wording.format(name=name, expected=self.expected, value=brief(value), text=shortened(value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value not in _NOTHING


def _is_any_path(value: Any) -> bool:
    if not isinstance(value, str | PurePath):
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        if not isinstance(value, ObjectStoragePath):
            return False
    path = str(value)
    # A template that is still there when the task runs is in an object, in which Airflow renders none.
    return not has_template(path) and bool(path.strip()) and "\0" not in path and path != "None"


def _is_path(value: Any) -> bool:
    return _is_any_path(value) and _NOTHING_IN_PATH.search(str(value)) is None


def _is_name_of_job(value: Any) -> bool:
    return isinstance(value, str) and NAME_PATTERN.fullmatch(value) is not None


def _is_texts(value: Any) -> bool:
    texts = [value] if isinstance(value, str) else value
    if is_of_another_task(value):  # of Airflow 3 it says that it can be iterated over
        return False
    return isinstance(texts, Iterable) and not isinstance(texts, Mapping | bytes) and all(map(_is_text, texts))


def _is_names(value: Any) -> bool:
    return isinstance(value, list | tuple | str) and (not value or _is_texts(value))


def _is_model(value: Any) -> bool:
    """False for what is no name of a model; whether it is JSON at all is checked with the benchmark."""
    if isinstance(value, Mapping):
        return bool(value) and all(_is_model(value[name]) for name in ("url", "name") if name in value)
    return _is_text(value) or not (value is None or isinstance(value, str | int | float | list))


TEXT = Rule("a text", _is_text)
PATH = Rule(
    "a path",
    _is_path,
    "{name}: a path or URL in object storage is needed, found {value}",
    accepts_literally=_is_any_path,
    use=Use.READ,
)
WRITTEN = replace(PATH, use=Use.WRITE)
FILE = Rule("the path of a file", _is_path, optional_words="", accepts_literally=_is_any_path, use=Use.OPEN)
#: An empty text stands for none.
STORE = Rule(
    "the path or URL of a folder, an empty text for none",
    lambda value: value == "" or _is_path(value),
    accepts_literally=_is_any_path,
    use=Use.WRITE,
)
#: An empty text stands for the connection's.
WORKSPACE = Rule("the name of a workspace", lambda value: value == "" or _is_text(value)).or_none()
FLAG = Rule("True or False", lambda value: isinstance(value, bool))
TEXTS = Rule("a text, or several", _is_texts)
NAMES = Rule("the name of a field, or a list of them", _is_names)
BASELINE = Rule(
    '"pinned", "last_passed", "previous", the name of a job, or the folder of a stored one',
    lambda value: value == "" or (isinstance(value, str) and bool(value.strip())),
    use=Use.READ,
).or_none()
#: Of a job that is there; what else it must be, :func:`require_job_name` says.
_JOB_OR_FOLDER = Rule("the name of a job", lambda value: True, use=Use.READ)
#: Of a job that is submitted.
JOB_NAME = Rule(
    "a name",
    lambda value: _is_text(value) and _is_name_of_job(value),
    f'{{name}}: "{{text}}" {NOT_A_NAME}',
    accepts_literally=_is_name_of_job,
)
MODEL = Rule('a reference "workspace/name", or a mapping with "url" and "name"', _is_model).or_none()


def check_argument(
    task: BaseOperator, name: str, value: Any, rule: Rule, *, given: str = "", template: Any = None
) -> None:
    """Refuse a value that an argument can't have.

    :param given: what the DAG file has in its place, in words, where that is a template or the result of another task
    :param template: that itself
    :raises ConfigurationError: names the task, the argument, and where the value comes from
    """
    if rule.use is not None:
        _refuse_password(task, name, value)
    is_literal = rule.accepts_literally(value) and not (given and _is_made_of_nothing(str(value), template))
    if not is_literal and not rule.accepts(value):
        raise FinalConfigurationError(f"{owner_of(task)}: {rule.problem(name, value)}{origin(task, value, given)}")
    if rule.use is not None and (problem := place_problem(value, rule.use)) is not None:
        raise FinalConfigurationError(f"{owner_of(task)}: {name}: {problem}{f' ({given} gives it)' if given else ''}")


def _refuse_password(task: BaseOperator, name: str, value: Any) -> None:
    try:
        refuse_password(value)
    except ConfigurationError as error:
        raise FinalConfigurationError(f"{owner_of(task)}: {name}: {error}") from None


def owner_of(task: BaseOperator) -> str:
    """A task with its kind, for messages: ``gate "release"``."""
    return f'{getattr(task, "kind_of_task", "task")} "{task.task_id}"'


def _is_made_of_nothing(value: str, template: Any) -> bool:
    """True if a part of a rendered path is the text of nothing, and does not stand in the template itself."""
    literal = "" if is_of_another_task(template) else _TEMPLATE.sub("\0", str(template))
    found, own = (Counter(_NOTHING_IN_PATH.findall(f"/{text}")) for text in (value, literal))
    return bool(found - own)


def origin(task: BaseOperator, value: Any, given: str) -> str:
    """Where a wrong value may come from, a part of a message."""
    upstream = f" ({brief_names(sorted(task.upstream_task_ids))})" if task.upstream_task_ids else ""
    source = f", which {given} gives" if given else ""
    if value is None or (isinstance(value, str) and (not value or _NOTHING_IN_PATH.search(value))):
        if not given and not upstream:
            return source
        unsure = "" if not value or value in _NOTHING else ". A part of a path that is really called so looks the same"
        source = f"{source}: the upstream task{upstream} that it comes from"
        return f"{source} may have returned nothing, or was skipped{unsure}"
    if given and isinstance(value, int | float):
        return f"{source}. With render_template_as_native_obj=True a text of digits becomes a number"
    return source


def require_job_name(name: Any, *, task: BaseOperator, argument: str = "job_name", given: str = "") -> None:
    """Refuse what is no name of a job, such as what a template made of an upstream task that returned nothing.

    :param argument: the argument whose value it is
    :param given: as of :func:`check_argument`
    :raises ConfigurationError: names the task and the argument
    """
    if _is_text(name) or (not given and name in ("nan", "null")):
        return
    found = f'task "{task.task_id}": {argument} must be the name of a job, found {brief(name)}'
    if name is None or name == "None":
        upstream = f" ({brief_names(sorted(task.upstream_task_ids))})" if task.upstream_task_ids else ""
        raise FinalConfigurationError(
            f"{found}: the upstream task{upstream} that it comes from returned nothing, or was skipped. Let it return "
            f"the job's name."
        )
    source = f", which {given} gives" if given else ""
    why = "that is no text"
    if isinstance(name, int | float):
        why = "with render_template_as_native_obj=True a name of digits becomes a number"
    elif isinstance(name, str):
        why = "what does its template give?"
    raise FinalConfigurationError(f"{found}{source}: {why}")


#: What an f-string makes of an argument of a mapped task group.
_WITHIN_A_TEXT = "MappedArgument(_input="


def refuse_task(value: Any, owner: str, name: str) -> None:
    """Refuse a task in the place of its result, also within a list or a mapping.

    :param owner: as of :func:`owner_of`
    :raises ConfigurationError: says how to write it
    """
    if isinstance(value, Mapping | list | tuple):
        for member in value.values() if isinstance(value, Mapping) else value:
            refuse_task(member, owner, name)
        return
    if isinstance(value, str) and _WITHIN_A_TEXT in value:
        raise FinalConfigurationError(
            f"{owner}: {name}: found {shortened(value, 80)}: an argument of a mapped task group is no text yet, and "
            f"none can be made of it there. Give the argument itself, of texts that were made before"
        )
    if hasattr(value, "operator_class") and callable(getattr(value, "function", None)):  # decorated, and not called
        called = f"{getattr(value.function, '__name__', 'task')}()"
        raise FinalConfigurationError(f"{owner}: {name}: found a task's function itself: call it, {name}={called}")
    if hasattr(value, "task_id") and hasattr(value, "output"):
        variable = value.task_id.rpartition(".")[2]
        variable = variable if variable.isidentifier() else "task"
        raise FinalConfigurationError(
            f'{owner}: {name}: found the task "{value.task_id}" itself: give its result, {name}={variable}.output, or '
            f"its name, {variable}.task_id, where names of tasks are asked for"
        )


def checked_aliases(aliases: Any, *, task: str) -> Any:
    """Return the argument ``aliases`` of a task, checked as far as it is known when the DAG is parsed.

    :raises ConfigurationError: it is not a map of names, or two metrics would have the same name; names the task
    """
    if aliases is None or not is_known(aliases):
        return aliases
    refuse_task(aliases, f'task "{task}"', "aliases")
    try:
        return checked_references(aliases)
    except ConfigurationError as error:
        raise FinalConfigurationError(f'task "{task}": aliases: {error}') from error


def is_of_another_task(value: Any) -> bool:
    """True for the result of another task, and for an argument of a mapped task group, which may be one."""
    return hasattr(value, "iter_references")


def is_known(value: Any) -> bool:
    """False for a template and for the result of another task, whose value is known only when the task runs."""
    if is_of_another_task(value):
        return False
    if isinstance(value, Mapping | list | tuple):
        return all(map(is_known, value.values() if isinstance(value, Mapping) else value))
    is_path = isinstance(value, PurePath) or hasattr(value, "protocol")
    return not has_template(str(value) if is_path else value)


def path_text(value: Any) -> Any:
    """A path as text, since Airflow renders templates in texts alone; a template, or the output of a task, as it is."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return str(value) if isinstance(value, PurePath | ObjectStoragePath) else value


def has_template(value: Any) -> bool:
    """Return True if a string, or a string within plain data, has a Jinja template."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    values = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return any(map(has_template, values))


def words_of(value: Any) -> str:
    """What stands in the DAG file for a value that is not known yet."""
    if isinstance(value, str):
        return f"the template {shortened(value, 80)}"
    if not is_of_another_task(value):
        return f"the template {brief(value)}"
    tasks = sorted({operator.task_id for operator, _ in value.iter_references()})
    return f"the result of task {brief_names(tasks)}" if tasks else "an argument of the task group"


class CheckedArguments:
    """A task whose arguments have rules. It checks them at the end of its ``__init__``, and when it is executed."""

    #: Of each argument, by its name.
    argument_rules: Mapping[str, Rule] = {}
    template_fields: Sequence[str]
    #: True if the argument ``job_name`` is the name of a job that is there.
    takes_job: bool = False
    #: For messages.
    kind_of_task: str = "task"

    def check_known_arguments(self: Any) -> None:
        """Check what is known when the DAG is parsed.

        :raises ConfigurationError: names the task and the argument
        """
        for name in dict.fromkeys((*self.template_fields, *self.argument_rules)):
            refuse_task(getattr(self, name, None), owner_of(self), name)
        #: What the DAG file has in the place of the others.
        self._templates = {
            name: value for name in self.template_fields if not is_known(value := getattr(self, name, None))
        }
        self._given_arguments = {name: words_of(value) for name, value in self._templates.items()}
        self._check_arguments_but(self._given_arguments)
        for doubt in self._doubts(self._given_arguments):
            warnings.warn(f"{owner_of(self)}: {doubt}", UserWarning, stacklevel=2)
        for name, template in self._templates.items():
            rule = _JOB_OR_FOLDER if name == "job_name" and self.takes_job else self.argument_rules.get(name)
            use = None if rule is None else rule.use
            if use is not None and (problem := template_problem(template, use)) is not None:
                raise FinalConfigurationError(f"{owner_of(self)}: {name}: {problem}")

    def check_rendered_arguments(self: Any) -> None:
        """Check all when the task runs, with what templates and other tasks have given.

        :raises ConfigurationError: names the task and the argument, and what stands in its place in the DAG file
        """
        self._check_arguments_but(())
        for doubt in self._doubts(()):
            self.log.warning("%s", doubt)

    def _doubts(self: Any, unknown: Container[str]) -> list[str]:
        """What may be right, though it seldom is."""
        rules = [(name, rule) for name, rule in self.argument_rules.items() if name not in unknown]
        found = [(name, doubt_about(getattr(self, name), rule.use)) for name, rule in rules]
        return [f"{name}: {doubt}" for name, doubt in found if doubt]

    def given_argument(self: Any, name: str) -> str:
        """What the DAG file has in the place of an argument, in words; empty where that is its value itself."""
        given: dict[str, str] = getattr(self, "_given_arguments", {})
        return given.get(name, "")

    def given_template(self: Any, name: str) -> Any:
        """That itself; None where it is the value."""
        return getattr(self, "_templates", {}).get(name)

    def _check_arguments_but(self: Any, unknown: Container[str]) -> None:
        if "aliases" not in unknown:
            checked_aliases(getattr(self, "aliases", None), task=self.task_id)
        if self.takes_job and "job_name" not in unknown:
            _refuse_password(self, "job_name", self.job_name)
            require_job_name(self.job_name, task=self, given=self.given_argument("job_name"))
            check_argument(self, "job_name", self.job_name, _JOB_OR_FOLDER, given=self.given_argument("job_name"))
        if "store" in self.argument_rules and self.store is None:
            check_argument(self, "[benchmarks] score_store", configured_store(), STORE)
        for name, rule in self.argument_rules.items():
            if name not in unknown:
                known = {"given": self.given_argument(name), "template": self.given_template(name)}
                check_argument(self, name, getattr(self, name), rule, **known)
