"""Shards of tiles: WebDataset tar files of zstd-compressed .npy members, read by byte ranges.

Belongs here: the bytes of a shard, and getting bytes from a folder or an address.
Never here: what tiles mean together (`store.py`).

A tile is a run of neighbouring members `<row>.json`, `<row>.<modality>.npy.zst` and, only where a
band is neither wholly present nor wholly absent, `<row>.<modality>.present.npy.zst`: the bits of
the masks of those bands. Any program that reads tar, zstd and .npy reads a shard; the index says at
which byte each member begins, so that any modality of any tile is one range of bytes.

Numbers of more than one byte are stored as planes, `<row>.<modality>.planes.npy.zst`: an array of
uint8 with one axis more, first the lowest byte of all numbers, then the next. The upper bytes of
neighbours are alike and the lower ones are noise; apart, they take less space and less time.

Behind the zstd frame of a member stands a skippable one (RFC 8878, section 3.1.2), which other
programs pass over, with the CRC-32 of the frame: zstd without it decodes most broken bytes into
other pixels, and says nothing.
"""

import io
import math
import os
import tarfile
import threading
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import urllib3

from adapters.errors import FusionError

LEVEL = 3  # zstd's default; higher levels are slower to write and no faster to read
_BLOCK = 512  # of a tar file
_BYTE = np.dtype(np.uint8)
_SEAL = bytes.fromhex("502a4d18 04000000")
"""Begins the skippable frame: its magic number, and the length of what it holds."""
_SEAL_BYTES = len(_SEAL) + 4
_RETRIES = urllib3.Retry(4, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504))


def ending(dtype: np.dtype) -> str:
    """End of the name of a member with an array of this type."""
    return ".npy.zst" if dtype.itemsize == 1 else ".planes.npy.zst"


def frame(array: np.ndarray) -> bytes:
    """An array as a zstd frame of a .npy file, sealed by its CRC-32."""
    if array.dtype.itemsize > 1:
        whole = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
        shifts = range(0, 8 * array.dtype.itemsize, 8)
        array = np.stack([(whole >> whole.dtype.type(s)).astype(np.uint8) for s in shifts])
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array), version=(1, 0))
    content = pa.Codec("zstd", LEVEL).compress(file.getvalue(), asbytes=True)
    return content + _SEAL + zlib.crc32(content).to_bytes(4, "little")


def unframe(data: memoryview, dtype: np.dtype, shape: tuple[int, ...], where: str) -> np.ndarray:
    """The array of a frame, which must have this type and shape.

    Raises:
        FusionError: The bytes are broken or hold another array.
    """
    if dtype.itemsize == 1:
        return _bytes_of_frame(data, dtype, shape, where)
    planes = _bytes_of_frame(data, _BYTE, (dtype.itemsize, *shape), where)
    whole = planes[-1].astype(f"u{dtype.itemsize}")
    for plane in planes[-2::-1]:
        np.left_shift(whole, 8, out=whole)
        np.bitwise_or(whole, plane, out=whole)
    return whole.view(dtype)


def _bytes_of_frame(
    data: memoryview, dtype: np.dtype, shape: tuple[int, ...], where: str
) -> np.ndarray:
    """The array of a frame as it is there; read-only."""
    header = _header(dtype, shape)
    size = len(header) + math.prod(shape) * dtype.itemsize
    content, seal = data[:-_SEAL_BYTES], bytes(data[-_SEAL_BYTES:])
    if seal != _SEAL + zlib.crc32(content).to_bytes(4, "little"):
        raise broken_member(where)
    try:
        raw = memoryview(pa.Codec("zstd").decompress(content, size)).cast("B")
    except (OSError, pa.ArrowException) as error:
        raise broken_member(where) from error
    if raw[: len(header)] != header:
        raise FusionError(
            f"a member of a shard is no {dtype} array of {shape}",
            file=where,
            samples=[bytes(raw[10 : len(header)]).decode("latin-1").strip()],
            remedy="write the set again",
        )
    return np.frombuffer(raw, dtype, offset=len(header)).reshape(shape)


def broken_member(where: str) -> FusionError:
    """The error of a member that is not what was written."""
    return FusionError(
        "a member of a shard is broken",
        file=where,
        remedy="verify the set, and write it again or copy it again",
    )


_headers: dict[tuple[np.dtype, tuple[int, ...]], bytes] = {}


def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """First bytes of a .npy file."""
    if (dtype, shape) not in _headers:
        file = io.BytesIO()
        described = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(file, described)
        _headers[dtype, shape] = file.getvalue()
    return _headers[dtype, shape]


class ShardWriter:
    """One tar file, the same bytes for the same members."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")  # noqa: SIM115 - closed by `close`
        self._tar = tarfile.open(  # noqa: SIM115
            fileobj=self._file, mode="w", format=tarfile.USTAR_FORMAT
        )

    @property
    def end(self) -> int:
        """Bytes written."""
        return self._tar.offset

    def add(self, name: str, data: bytes) -> tuple[int, int]:
        """Append a member.

        Returns:
            At which byte its content begins, and how many bytes it has.
        """
        start = self._tar.offset + _BLOCK
        info = tarfile.TarInfo(name)  # owner 0, time 0
        info.size = len(data)
        self._tar.addfile(info, io.BytesIO(data))
        return start, len(data)

    def close(self) -> None:
        """Finish the file, and see it to the disk."""
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class LocalPlace:
    """Bytes of the files of a folder; any thread may ask."""

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder, self._open, self._guard = folder, {}, threading.Lock()

    def whole(self, name: str) -> bytes:
        """A whole file.

        Raises:
            FusionError: There is none.
        """
        return self._asked(lambda: (self._folder / name).read_bytes(), name)

    def part(self, name: str, start: int, length: int) -> bytes:
        """A range of a file.

        Raises:
            FusionError: There is none, or it ends before.
        """
        with self._guard:
            if name not in self._open:
                self._open[name] = self._asked(lambda: (self._folder / name).open("rb"), name)
            descriptor = self._open[name].fileno()
        return _whole_part(os.pread(descriptor, length, start), name, start, length, self.name)

    def size(self, name: str) -> int:
        """Bytes of a file.

        Raises:
            FusionError: There is none.
        """
        return self._asked(lambda: (self._folder / name).stat().st_size, name)

    def _asked(self, ask, name: str):  # noqa: ANN001, ANN202
        try:
            return ask()
        except OSError as error:
            raise FusionError(
                f"cannot be read: {error.strerror}",
                file=f"{self.name}/{name}",
                remedy="name the version folder of a set of tiles; if it is one, write it again",
            ) from error

    def close(self) -> None:
        """Close what is open."""
        for file in self._open.values():
            file.close()
        self._open.clear()


class RemotePlace:
    """Bytes of files behind an http(s) address, by range requests; any thread may ask."""

    def __init__(self, address: str) -> None:
        self.name = address.rstrip("/")
        self._pool = urllib3.PoolManager(maxsize=8, retries=_RETRIES, timeout=60.0)

    def whole(self, name: str) -> bytes:
        """A whole file.

        Raises:
            FusionError: The server does not hand it out.
        """
        return self._ask("GET", name, 200).data

    def part(self, name: str, start: int, length: int) -> bytes:
        """A range of a file.

        Raises:
            FusionError: The server does not hand it out.
        """
        wanted = {"Range": f"bytes={start}-{start + length - 1}"}
        data = self._ask("GET", name, 206, wanted).data
        return _whole_part(data, name, start, length, self.name)

    def size(self, name: str) -> int:
        """Bytes of a file.

        Raises:
            FusionError: The server does not know it.
        """
        return int(self._ask("HEAD", name, 200).headers["Content-Length"])

    def _ask(self, method: str, name: str, status: int, headers: dict[str, str] | None = None):  # noqa: ANN202
        address = f"{self.name}/{name}"
        try:
            # Not read before the status is known: a server without ranges would send the whole.
            answer = self._pool.request(method, address, headers=headers, preload_content=False)
            if answer.status != status:
                answer.close()
                raise FusionError(
                    f"the server answered {answer.status}, not {status}",
                    file=address,
                    remedy="the server must know the file and answer range requests",
                )
            answer.read(cache_content=True)
        except urllib3.exceptions.HTTPError as error:
            raise FusionError(
                f"the server cannot be read: {error}", file=address, remedy="try again later"
            ) from error
        answer.release_conn()
        return answer

    def close(self) -> None:
        """End the connections."""
        self._pool.clear()


def _whole_part(data: bytes, name: str, start: int, length: int, place: str) -> bytes:
    if len(data) != length:
        raise FusionError(
            f"the file ends before byte {start + length:,}",
            file=f"{place}/{name}",
            remedy="verify the set, and write it again or copy it again",
        )
    return data


def open_place(folder: Path | str) -> LocalPlace | RemotePlace:
    """A folder, or an http(s) address."""
    text = str(folder)
    return RemotePlace(text) if text.startswith(("http://", "https://")) else LocalPlace(Path(text))
