import pytest

from corpora.licenses.files import is_license_file, license_folder


@pytest.mark.parametrize(
    "path",
    [
        "LICENSE",
        "LICENCE.md",
        "COPYING",
        "COPYING.LESSER",
        "COPYING.LIB",
        "COPYING3",
        "COPYING3.LIB",
        "COPYINGv2",
        "license.txt",
        "LICENSE-MIT",
        "MIT-LICENSE",
        "MIT-LICENSE.txt",
        "GPL-2.0-LICENSE",
        "LICENSE.GPL",
        "LICENSE.GPLv3",
        "LICENSE.APACHE2",
        "LICENSE.BSD-3-Clause",
        "LICENSE_MIT.md",
        "UNLICENSE",
        "LICENSE-APACHE-2.0.txt",
        "COPYRIGHT.txt",
        "LICENSE.2nd.txt",
        "Licenses",
        "sub/LICENSE",
    ],
)
def test_licence_files_are_known_by_name(path: str):
    assert is_license_file(path)


@pytest.mark.parametrize(
    "path",
    [
        "license.py",
        "sub/license.go",
        "license_check.py",
        "copy.c",
        "CopyGrad.lua",
        "LICENSE.pdf",
        "copyright.h",
        "licenses.json",
        "LICENSE/readme",
    ],
)
def test_other_files_are_not_taken_for_licences(path: str):
    assert not is_license_file(path)


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("LICENSE", ""),
        ("pkg-1.0/LICENSE", "pkg-1.0"),
        ("LICENSES/MIT.txt", ""),
        ("pkg-1.0/LICENSES/LicenseRef-Ours.txt", "pkg-1.0"),
        ("LICENSES/LLVM-exception.txt", None),
        ("LICENSES/tool.py", None),
        ("OTHER_LICENSES/MIT.txt", None),
        ("main.c", None),
    ],
)
def test_a_licence_file_speaks_about_its_folder(path: str, folder: str | None):
    assert license_folder(path) == folder
