"""The connection to the server: the calls of the panel, what the reader may do there, address and token."""
