"""Files and processes of the operating system: atomic writes, worker pools."""
