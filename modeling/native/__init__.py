"""The LSTM on the CPU in C: optional, several times faster, equal within 1e-5 relative.

`library` builds and loads the kernel; `weights`, `buffers` and `threads` are how it is called;
`loss`, `scoring` and `stepper` are what it does. `modeling.models.lstm` decides when.
"""
