"""What every room needs and nothing more: errors, settings, registry, files, seeds. Torch-free."""
