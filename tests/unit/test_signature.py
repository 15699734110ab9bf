"""The signatures that ``help()`` and `inspect.signature` show."""

import inspect

from resilient_session._config._options import TABLE
from resilient_session._config._signature import shows_options


class Adapter:
    @shows_options("self", positional=("pool_maxsize", "total"))
    def __init__(self, *args, **options):
        pass


@shows_options("session")
def make(session=None, **options):
    """Make one."""
    return session, options


def shape(function):
    return [(one.name, one.kind, one.default) for one in inspect.signature(function).parameters.values()]


def test_a_function_shows_what_leads_and_then_every_option_by_name():
    either, named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    assert shape(make) == [("session", either, None), *((name, named, TABLE[name].default) for name in TABLE)]


def test_a_class_shows_its_positional_options_first_and_in_their_order():
    either, named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    first, second, *others = shape(Adapter)
    assert [first, second] == [("pool_maxsize", either, 64), ("total", either, 3)]
    assert {kind for _, kind, _ in others} == {named}
    assert [name for name, _, _ in others] == [name for name in TABLE if name not in {"pool_maxsize", "total"}]


def test_a_method_shows_what_its_class_shows_and_self():
    named = [name for name, _, _ in shape(Adapter.__init__)]
    assert named == ["self", *(name for name, _, _ in shape(Adapter))]
    assert inspect.signature(Adapter.__init__).parameters["self"].default is inspect.Parameter.empty


def test_options_are_shown_with_their_types():
    parameters = inspect.signature(make).parameters
    assert parameters["total"].annotation is int
    assert parameters["read"].annotation == int | None
    assert parameters["session"].annotation is inspect.Parameter.empty


def test_a_function_does_what_it_did():
    assert make("one", total=2) == ("one", {"total": 2})
    assert make() == (None, {})
    assert (make.__name__, make.__doc__) == ("make", "Make one.")
    assert inspect.unwrap(make) is not make


def test_a_function_without_leading_parameters_shows_options_alone():
    @shows_options()
    def bare(**options):
        return options

    assert [name for name, _, _ in shape(bare)] == [*TABLE]
    assert bare(total=1) == {"total": 1}
