"""Our named tuples are those of `typing`: made in the same way, with the same results."""

from __future__ import annotations

import pickle
import typing

import pytest

from resilient_session import _named_tuple


class Ours(_named_tuple.NamedTuple):
    """A place."""

    name: str
    port: int = 80

    @property
    def shown(self):
        return f"{self.name}:{self.port}"


class Theirs(typing.NamedTuple):
    """A place."""

    name: str
    port: int = 80

    @property
    def shown(self):
        return f"{self.name}:{self.port}"


@pytest.mark.parametrize(
    "act",
    [
        lambda cls: cls("a"),
        lambda cls: cls(port=1, name="b"),
        lambda cls: cls("a") == ("a", 80),
        lambda cls: hash(cls("a")),
        lambda cls: repr(cls("a")).partition("(")[2],
        lambda cls: cls("a").shown,
        lambda cls: cls("a").port,
        lambda cls: cls("a")._replace(port=2),
        lambda cls: cls("a")._asdict(),
        lambda cls: [*cls("a")],
        lambda cls: (cls._fields, cls.__match_args__, cls.__doc__, issubclass(cls, tuple)),
        lambda cls: pickle.loads(pickle.dumps(cls("a", 3))),  # noqa: S301 - our own
        lambda cls: hasattr(cls("a"), "__dict__"),
    ],
)
def test_does_what_the_one_of_typing_does(act):
    assert act(Ours) == act(Theirs)


@pytest.mark.parametrize(
    "act",
    [
        lambda cls: cls(),
        lambda cls: cls("a", 1, 2),
        lambda cls: cls("a", host=1),
        lambda cls: setattr(cls("a"), "name", "b"),
        lambda cls: setattr(cls("a"), "other", "b"),
    ],
)
def test_refuses_what_the_one_of_typing_refuses(act):
    errors = []
    for cls in (Ours, Theirs):
        with pytest.raises((TypeError, AttributeError)) as caught:
            act(cls)
        errors.append(caught.type)
    assert errors[0] is errors[1]
