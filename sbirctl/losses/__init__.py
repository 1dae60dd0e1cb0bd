"""One loss a small file: pure functions of tensors, with formula and equation number."""
