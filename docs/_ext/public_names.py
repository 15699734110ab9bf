"""Show public names instead of private ones.

The code is defined in private modules and imported from public ones. A signature contains the module that defines
an object. Readers and the index need the module that they import it from.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

_MODULES = (
    "resilient_session",
    "resilient_session.testing",
    "resilient_session.opentelemetry",
    "resilient_session.prometheus",
)
_ELSEWHERE = {
    "Response": "requests.Response",
    "PreparedRequest": "requests.PreparedRequest",
    "urllib3.util.retry.Retry": "urllib3.util.Retry",
    "requests.exceptions.RequestException": "requests.RequestException",
}
"""Names of other projects: the name in our annotations, and the name in their documentation."""

_TAKES_OPTIONS = {
    "resilient_session.resilient_session": "(session=None, **options)",
    "resilient_session.install": "(**options)",
    "resilient_session.override": "(**options)",
    "resilient_session.ResilientSession": "(**options)",
    "resilient_session.TimeoutHTTPAdapter": "(pool_connections, pool_maxsize, max_retries, pool_block, **options)",
    "resilient_session.LoggingHTTPAdapter": "(pool_connections, pool_maxsize, max_retries, pool_block, **options)",
}


_INSIDES = re.compile(r"(: [^,]* = )(?:<function [^>]*>|Reply\((?:[^()]|\([^()]*\))*\))")
"""Default values that mean nothing to a reader."""


def _public() -> dict[str, str]:
    """Map the names in annotations to the names that users import."""
    names = {}
    for module_name in _MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            public, defined_in = f"{module_name}.{name}", getattr(getattr(module, name), "__module__", module_name)
            names |= {f"{defined_in}.{name}": public, name: public}
    return names


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Node) -> nodes.Node | None:
    """Resolve a name of a private module; leave names of other projects to intersphinx."""
    target = node.get("reftarget", "")
    node["reftarget"] = _ELSEWHERE.get(target, target)
    public = _public().get(target)
    if node.get("refdomain") != "py" or public is None:
        return None
    domain = env.domains.python_domain
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", public, node, contnode)


def shorten(  # noqa: PLR0913, PLR0917 - the signature of the event
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str
) -> tuple[str, str] | None:
    """Show ``**options`` as one parameter, as options have their own page, and shorten default values."""
    del app, what, obj, options
    if name in _TAKES_OPTIONS:
        return _TAKES_OPTIONS[name], returns
    return (_INSIDES.sub(r"\1...", signature), returns) if signature else None


def skip(  # noqa: PLR0913, PLR0917 - the signature of the event
    app: Sphinx, what: str, name: str, obj: object, skipped: object, options: object
) -> bool | None:
    """Skip the fields of named tuples: the docstring of the class lists them."""
    del app, what, name, skipped, options
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to the events of Sphinx."""
    app.connect("missing-reference", resolve, priority=400)  # before intersphinx, which has 500
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", shorten)
    return {"parallel_read_safe": True}
