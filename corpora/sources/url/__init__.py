"""Files and archives from HTTP servers."""
