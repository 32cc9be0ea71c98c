"""A third modality, as small as one can be: pictures of a lamp, which is on or off.

It shows what a further modality needs: this package, and the one line in ``site/sitecustomize.py``, which in the
project would be a line of ``methods.py``. The network is a threshold of the mean brightness, which training fits.
"""
