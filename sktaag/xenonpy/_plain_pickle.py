"""Read the pickles of plain data in XenonPy's model folders without running what is in them."""

import io
import pickle
import zlib
from pathlib import Path

_ADMITTED = {
    # what a pickle names, and what it gets: torch's version string is a str that compares as a version
    ("torch.torch_version", "TorchVersion"): str,
    ("collections", "OrderedDict"): dict,
}
_LARGEST = 100_000_000  # bytes; a text of a model has some thousand


class NotPlainError(ValueError):
    """A pickle that holds more than plain data."""


def load_plain(path):
    """Read numbers, strings, lists, tuples, sets and dicts of these from a zlib-compressed pickle.

    Unpickling runs code where a pickle names a function or a class; here, every name but two harmless ones is refused.
    """
    content = zlib.decompressobj()
    try:
        data = content.decompress(Path(path).read_bytes(), _LARGEST)
        if content.unconsumed_tail:
            raise NotPlainError(f"it unfolds to more than {_LARGEST:,} bytes")
        return _PlainUnpickler(io.BytesIO(data)).load()
    except NotPlainError:
        raise
    except Exception as error:  # zlib and pickle raise many kinds
        raise NotPlainError(f"it is torn ({error})") from error


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _ADMITTED:
            raise NotPlainError(f"it names {module}.{name}")
        return _ADMITTED[module, name]

    def persistent_load(self, pid):
        raise NotPlainError("it refers to another file")
