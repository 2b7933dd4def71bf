"""One update of the weights: batches, devices, and the engine chosen by measuring."""
