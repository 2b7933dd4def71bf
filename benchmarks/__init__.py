"""Side-by-side measurements; `make bench` runs them."""

import modeling  # noqa: F401  (sets how torch waits, which must come before torch)
