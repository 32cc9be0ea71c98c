"""Read by Python as it starts, where this folder is on the path: the line that registers the method."""

from tests.toy_method.method import METHOD

from pneumoscreen.methods import register

register(METHOD)
