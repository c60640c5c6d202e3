"""How many examples a fuzz test tries: few and always the same ones in ``make test``, new ones in ``make fuzz``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

#: Set by ``make fuzz``: factor of the number of examples.
FACTOR = int(os.environ.get("FUZZ_FACTOR", "0"))
#: Where examples that fail are kept, and are tried again first.
DATABASE = ".build/fuzz"


def examples(number: int) -> Callable[[Any], Any]:
    """Settings of a test.

    :param number: of examples, in ``make test``
    """
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    return settings(
        max_examples=number * max(FACTOR, 1),
        derandomize=not FACTOR,
        database=DirectoryBasedExampleDatabase(DATABASE) if FACTOR else None,
        suppress_health_check=checks,
        deadline=None,
        print_blob=True,
    )
