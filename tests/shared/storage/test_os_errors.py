from __future__ import annotations

import errno

import pytest

from shared import errors
from shared.storage.os_errors import NotAFolder, as_transfer_error, from_os_error


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, errors.StorageFull),
        (errno.EDQUOT, errors.StorageFull),
        (errno.EFBIG, errors.StorageFull),
        (errno.EACCES, errors.StorageUnavailable),
        (errno.EPERM, errors.StorageUnavailable),
        (errno.EROFS, errors.StorageUnavailable),
        (errno.EIO, errors.StorageUnavailable),
        (errno.ENOENT, errors.StorageUnavailable),
        (errno.EMFILE, errors.StorageUnavailable),
        (errno.ESTALE, errors.StorageUnavailable),
        (None, errors.StorageUnavailable),
    ],
)
def test_each_error_of_the_system_has_its_type(
    number: int | None, expected: type[errors.TransferError]
) -> None:
    error = from_os_error(OSError(number, "text", "/secret/path") if number else OSError())
    assert type(error) is expected
    assert "/secret/path" not in str(error)


def test_a_link_or_a_file_in_the_way_is_no_outage() -> None:
    link = NotAFolder("a/b", "a symbolic link", link=True)
    file = NotAFolder("a/b", "a file", link=False)
    assert (link.errno, file.errno) == (errno.ELOOP, errno.ENOTDIR)
    assert str(from_os_error(link)).endswith("'a/b' is a symbolic link, not a folder")
    assert type(from_os_error(file)) is errors.TargetBlocked


def test_an_error_of_the_service_stays_what_it_is() -> None:
    error = errors.NameUnsafe("it is empty")
    assert as_transfer_error(error) is error
    assert type(as_transfer_error(OSError(errno.ENOSPC, ""))) is errors.StorageFull
