"""The LSTM on the CPU in C: optional, faster, equal within 1e-5 relative.

`library` builds and loads the kernel; `weights`, `buffers`, `memory` and `threads` feed it;
`loss`, `scoring` and `stepper` are what it does. `modeling.models.lstm` decides when.
"""
