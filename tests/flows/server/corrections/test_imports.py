"""Prefect reads the login from the environment as it is imported, so ours must be taken before."""

import subprocess
import sys


def test_the_app_is_imported_without_prefect():
    check = "import sys, flows.server.app; sys.exit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
