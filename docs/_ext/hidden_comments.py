"""Comments that are not shown are not in the pages either: what ``<!-- hidden`` begins is code for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.transforms import SphinxTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class HiddenComments(SphinxTransform):
    """Take the comments out."""

    default_priority = 500

    def apply(self) -> None:
        """Take them out of one page."""
        for node in list(self.document.findall(nodes.raw)):
            if node.astext().startswith("<!-- hidden"):
                node.parent.remove(node)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the transform."""
    app.add_transform(HiddenComments)
    return {"parallel_read_safe": True}
