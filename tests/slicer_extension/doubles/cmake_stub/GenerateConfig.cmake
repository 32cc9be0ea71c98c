# The real one writes the extension's CMake configuration for extensions that depend on it.
