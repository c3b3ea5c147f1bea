"""How kernels are compiled, and how their machine code is kept on disk.

Numba's own cache looks at the file that holds a kernel, not at other files whose kernels it
calls, and gives up where it cannot write. Here the stamp of a kernel is a digest of its code and
of the code of every kernel and constant that it uses, and a folder that is read-only is read.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
)

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])
_DIGESTS: dict[Callable[..., Any], bytes] = {}


def kernel(function: _Kernel) -> _Kernel:
    """Compile at the first call, keep the machine code on disk, release the interpreter lock.

    The numpy error model divides without a branch for zero, which would stop vectorisation.
    Kernels and constants that it uses must be defined above it.
    """
    _DIGESTS[function] = _digest(function)
    compiled: Any = numba.njit(nogil=True, error_model="numpy")(function)
    if hasattr(compiled, "py_func"):  # not with NUMBA_DISABLE_JIT
        compiled._cache = _Cache(function)  # type: ignore[no-untyped-call]  # noqa: SLF001  numba has no public way to say it
    return cast(_Kernel, compiled)


def _digest(function: Callable[..., Any]) -> bytes:
    code = function.__code__
    digest = sha256(code.co_code)
    digest.update(repr((code.co_consts, code.co_names, code.co_varnames)).encode())
    for name in code.co_names:
        used: Any = function.__globals__.get(name)
        if isinstance(used, (int, float)):
            digest.update(repr(used).encode())
        else:
            digest.update(_DIGESTS.get(getattr(used, "py_func", used), b""))
    return digest.digest()


class _Stamped:
    """Locator mixin: the digest as stamp, and a folder counts even if nothing can be written."""

    _function: Callable[..., Any]

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        super().__init__(py_func, py_file)  # type: ignore[call-arg]
        self._function = py_func

    def get_source_stamp(self) -> bytes:
        return _DIGESTS[self._function]

    def ensure_cache_path(self) -> None:
        """Leave it to the moment of writing: looking costs more than loading."""

    def make_folder(self) -> None:
        super().ensure_cache_path()  # type: ignore[misc]


class _UserProvided(_Stamped, UserProvidedCacheLocator):
    pass


class _InTree(_Stamped, InTreeCacheLocator):
    pass


class _Storage(CompileResultCacheImpl):
    _locator_classes: list[type[object]] = [_UserProvided, _InTree]  # noqa: RUF012  as numba has it


class _Cache(FunctionCache):
    _impl_class = _Storage

    def load_overload(self, sig: object, target_context: object) -> object:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except OSError:
            return None

    def save_overload(self, sig: object, data: object) -> None:
        try:
            self._impl.locator.make_folder()
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError:
            # A read-only installation: what was compiled lives as long as the process.
            self.disable()  # type: ignore[no-untyped-call]
