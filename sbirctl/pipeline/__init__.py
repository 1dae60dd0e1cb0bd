"""One function a command: paths in, path out."""
