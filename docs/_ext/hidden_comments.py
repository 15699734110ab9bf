"""Remove comments that start with ``<!-- hidden`` from the pages: they contain code for the tests only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.transforms import SphinxTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class HiddenComments(SphinxTransform):
    """Remove the comments."""

    default_priority = 500

    def apply(self) -> None:
        """Remove them from one page."""
        for node in list(self.document.findall(nodes.raw)):
            if node.astext().startswith("<!-- hidden"):
                node.parent.remove(node)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_transform(HiddenComments)
    return {"parallel_read_safe": True}
