"""The stage store: paths, manifests, publishing, failures, removal, remote copies."""
