"""``pneumoscreen crossvalidate``: k-fold cross-validation of a method's networks on labelled studies."""

from ..evaluation.request import CrossRequest
from ..methods import METHODS


def crossvalidate(request: CrossRequest, *, as_json: bool = False) -> None:
    """Cross-validate a network, print the tables, and leave them in the folder as JSON, text and HTML.

    Args:
        request: what is asked for.
        as_json: print the JSON instead of the text.

    Raises:
        PneumoScreenError: if options, images, models or folders cannot be used.
    """
    task = request.set_up.get("task")
    able = [method for method in METHODS if method.cross_tasks]
    method = next((method for method in able if task in method.cross_tasks), able[0])
    written = method.crossvalidate(request)
    print(written.with_suffix(".json" if as_json else ".txt").read_text(encoding="utf-8"), end="")
