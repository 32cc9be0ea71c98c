"""HTTP: routes, pages, the layers around them, and what is told of a request.

It knows the services, and nothing below knows it.
"""
