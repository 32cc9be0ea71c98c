"""The panel, a file a section: each takes the widgets of the ``.ui`` file and the session, and wires them."""
