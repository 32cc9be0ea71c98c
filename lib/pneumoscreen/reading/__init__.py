"""Reading of what others made, in processes that may be killed: a file that ends one costs its own scan only.

``processes`` is this side: it starts them, hands them orders and ends those that overstep a limit. ``process`` is what
runs in them; the server and the PACS each add the orders that are theirs. ``parent`` ends a process with its parent.
"""
