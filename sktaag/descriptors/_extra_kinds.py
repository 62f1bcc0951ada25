"""The kinds of fingerprint that the optional package scikit-fingerprints computes."""

from importlib import import_module
from importlib.metadata import version

from sktaag.descriptors._kinds import Kind


def _package():
    try:
        return import_module("skfp.fingerprints")
    except ImportError as error:
        raise ImportError(
            'The kinds "pubchem" and "klekota_roth" need scikit-fingerprints: pip install "sktaag[fingerprints]". pip '
            "may put RDKit back to the newest release that scikit-fingerprints allows."
        ) from error


def _of_package(name, width, counted):
    """Make a kind of a class of the package; some of them have another width when they count."""

    def make(settings):
        fingerprint = getattr(_package(), name)(count=counted and settings.counts)
        return lambda mol: fingerprint.transform([mol])[0]

    return Kind(lambda settings: [str(i) for i in range(width)], make)


EXTRA_KINDS = {
    "pubchem": _of_package("PubChemFingerprint", 881, counted=False),
    "klekota_roth": _of_package("KlekotaRothFingerprint", 4860, counted=True),
}


def check_package():
    """Raise ImportError, with the remedy, if the package is not there; return its version."""
    _package()
    return version("scikit-fingerprints")
