"""The MONAI Label side: infer tasks, the studies folder as a datastore, and HTTP that stays polite.

Only this package knows MONAI Label. What it does other than the stock server, and why:

- one inference runs at a time, in its own thread; every other request is answered meanwhile (``inference.engine``,
  ``http.application``);
- an image is named by its id in the studies folder; nothing else of the disk can be read (``services``,
  ``store.datastore``);
- a user's mistake is answered with 4xx and one sentence, ``{"detail": "..."}`` (``failures``);
- who speaks is settled before any route, by a token where the server has some (``access``);
- the index of the datastore is replaced, never rewritten in place (``store.studies_index``).

The rooms and which of them knows which stand in ``docs/house.md``; import-linter holds it.
"""

WORK_FOLDER = ".pneumoscreen"
"""Hidden folder among the studies where the server keeps reports and converted images."""
