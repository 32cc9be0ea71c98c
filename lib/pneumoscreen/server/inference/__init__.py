"""One inference: its parameters, its queue, the networks and the tasks that they do."""
