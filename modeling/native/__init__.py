"""The LSTM in C for the CPU: optional, faster than torch, equal within a relative 1e-5.

`compilation` builds the kernel and `library` loads it; `weights`, `buffers`, `memory` and `threads`
prepare its input; `loss`, `scoring` and `stepper` use it. `modeling.models.native_lstm` connects it
to the model.
"""
