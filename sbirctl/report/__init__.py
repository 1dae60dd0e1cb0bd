"""Pictures and tables made of what the pipeline wrote."""
