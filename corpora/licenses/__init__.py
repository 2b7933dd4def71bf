"""Licences: SPDX expressions, licence texts, and the licence files of repositories."""
