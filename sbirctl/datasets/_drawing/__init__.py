"""Drawing things: outlines with parts (`things_*`), photos of them (`camera`), sketches (`pen`)."""
