"""Tidying saved archives."""

import os
import re
import zipfile

_PATHS = re.compile(r'File \\"(?:[^"\\]*/(?=site-packages/)|[^"\\]*/(?=[^/"\\]+\\"))')


def tidy(path):
    """Deflates the JSON of an archive, drops its pickled sample inputs, and cuts the folders of this machine out of the
    stack traces. Weights stay stored, at multiples of 64 bytes, so that they can be mapped."""
    temporary = path + ".tidy"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(temporary, "w") as target:
        for entry in source.infolist():
            if "/sample_inputs/" in entry.filename:
                continue
            data = source.read(entry.filename)
            info = zipfile.ZipInfo(entry.filename)
            if "/data/" in entry.filename:
                start = target.fp.tell() + 30 + len(entry.filename.encode())
                padding = -(start + 4) % 64
                info.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
                target.writestr(info, data, zipfile.ZIP_STORED)
            else:
                if entry.filename.endswith(".json"):
                    data = _PATHS.sub(r'File \\"', data.decode()).encode()
                target.writestr(info, data, zipfile.ZIP_DEFLATED)
    os.replace(temporary, path)
