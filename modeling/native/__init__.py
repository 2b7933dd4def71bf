"""The LSTM on the CPU in C: optional, faster, equal within 1e-5 relative.

`compilation` builds the kernel, `library` loads it; `weights`, `buffers`, `memory` and `threads`
feed it; `loss`, `scoring` and `stepper` are what it does. `modeling.models.lstm` decides when.
"""
