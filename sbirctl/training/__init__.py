"""Training: loader, augmentation, the loop, checkpoints, resuming."""
