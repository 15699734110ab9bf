"""Configure Sphinx: ``sphinx-build -W -n -b html docs docs/_build/html``."""

from __future__ import annotations

import sys
from pathlib import Path

import resilient_session
from resilient_session._version import __version__

for _name in resilient_session.__all__:  # autodoc does not trigger the lazy imports of the package
    setattr(resilient_session, _name, getattr(resilient_session, _name))

_here = Path(__file__).parent
sys.path[:0] = [str(_here / "_ext"), str(_here.parent / "tests")]  # Sphinx takes no path; the matrix is the tests'

project = "resilient-session"
author = "The resilient-session developers"
project_copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "diagrams",
    "fault_table",
    "hidden_comments",
    "options_table",
    "public_names",
]
exclude_patterns = ["_build", "_inventories/README.md"]
default_role = "code"  # single backticks in docstrings are code, as they are in Markdown

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # no second entry for attributes that the docstring of their class describes

_inventories = Path(__file__).parent / "_inventories"
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", str(_inventories / "python.inv")),
    "requests": ("https://requests.readthedocs.io/en/latest", str(_inventories / "requests.inv")),
    "urllib3": ("https://urllib3.readthedocs.io/en/stable", str(_inventories / "urllib3.inv")),
}

nitpicky = True
nitpick_ignore = [
    ("py:class", "S"),  # a type variable: the class of the passed session
    ("py:class", "urllib3.HTTPConnectionPool"),  # their inventory lists it under its module
    ("py:class", "Cause"),  # a word, described on the page of attempts
    ("py:class", "Verdict"),  # as above
    ("py:class", "datetime.timedelta"),
    ("py:class", "os.PathLike"),
    ("py:class", "Path"),  # of pathlib
    ("py:class", "Progress"),  # a function, described in the text
    ("py:exc", "requests.exceptions.InvalidSchema"),
    ("py:class", "TracerProvider"),  # of OpenTelemetry, which publishes no inventory
    ("py:class", "MeterProvider"),  # as above
    ("py:class", "CollectorRegistry"),  # of prometheus_client, as above
    ("py:class", "Trail"),  # how `Attempt.stages` is kept
    ("py:class", "Rate"),  # a named tuple (number, seconds)
    ("py:class", "Timeouts"),  # a named tuple (connect, read), described in the text
    ("py:class", "TimeoutType"),  # every timeout that `requests` accepts, urllib3's `Timeout` included
    *(("py:class", alias) for alias in (  # parameters of FaultServer and Reply; their docstrings list the choices
        "Cut", "Encoding", "Framing", "Handshake", "Headers", "Interim", "ScriptItem", "Pairs", "Part", "Way",
    )),
]  # fmt: skip

smartquotes = False  # most quotes here are of code
html_theme = "furo"
html_title = f"resilient-session {version}"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {"footer_icons": []}
