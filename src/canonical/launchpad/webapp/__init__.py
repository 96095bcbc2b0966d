"""What a person sees: pages, and the same for programs."""

import warnings


# Of packages that Pyramid needs, and that nothing here can change.
for _message in (
    "pkg_resources is deprecated", "Deprecated call to `pkg_resources",
    "'cgi' is deprecated",
):
    warnings.filterwarnings("ignore", _message)
