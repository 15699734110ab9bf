"""One row of the options table: the default, validation and documentation of an option."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilient_session._named_tuple import NamedTuple

if TYPE_CHECKING:
    from resilient_session._config._kinds import Kind


class Option(NamedTuple):
    """Everything known about one option except its name and type.

    Attributes:
        default: the value if no argument or variable sets it.
        kind: validates values and parses variables.
        meaning: what the option controls, for the documentation.
        unit: the unit of its value; empty if it has none.
        source: the standard or library that defines it.
        hint: appended to error messages, for values meant for another option.
    """

    default: object
    kind: Kind
    meaning: str
    unit: str = ""
    source: str = ""
    hint: str = ""
