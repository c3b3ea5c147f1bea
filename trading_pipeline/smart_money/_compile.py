"""How the kernels of this folder are compiled.

Numba's cache on disk notices a change of the file that holds a kernel, not of another file whose
kernel or constant it uses. So a kernel uses those of its own file only; what joins files is Python.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


def kernel(function: _Kernel) -> _Kernel:
    """Compile at the first call, keep the machine code on disk, release the interpreter lock."""
    return cast(_Kernel, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
