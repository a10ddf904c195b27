"""The error tree.

    BiosegError
    ├── UnreadableFileError     (OSError)          a file is missing, truncated, corrupt or foreign
    ├── UnknownAxesError        (ValueError)       a file does not say what its axes are
    ├── UnwritableFileError     (OSError)          a result cannot be saved where it was asked for
    ├── DownloadError           (OSError)          what the user asked to download did not come, or not as it should
    ├── ServerError             (ConnectionError)  a tracking server is not there, or does not take what it is given
    ├── ModelNotFoundError      (LookupError)      no model of that name in the zoo
    ├── BrokenModelError        (ValueError)       a model folder that does not hold what its card says
    ├── IncompatibleImageError  (ValueError)       this model cannot take this image
    ├── RecipeError             (ValueError)       a recipe or an option is wrong
    ├── EditError               (LookupError)      a tool was used where it has nothing to do
    ├── DeviceError             (RuntimeError)     no such device, or its memory is used up
    ├── WorkerError             (RuntimeError)     what went wrong in a process that worked for us
    ├── MissingDependencyError  (ImportError)      an optional package is needed
    └── Cancelled               (RuntimeError)     the user stopped a job

Each message is one line that names the subject, the problem and the fix; the GUI shows it as a
notification and the command line prints it and exits with code 1, both without a traceback.
"""

from __future__ import annotations


class BiosegError(Exception):
    """Something the user can mend.

    Parameters
    ----------
    subject : str
        What it is about: a file, a model, an option.
    problem : str
        What is wrong with it.
    fix : str
        What the user can do.
    """

    def __init__(self, subject: str, problem: str, fix: str = "") -> None:
        self.subject, self.problem, self.fix = str(subject), problem, fix
        line = f"{self.subject}: {problem}" + (f". {fix}" if fix else "")
        super().__init__(" ".join(line.split()))


class UnreadableFileError(BiosegError, OSError):
    """A file is missing, truncated, corrupt, or of a kind we cannot read."""


class UnknownAxesError(BiosegError, ValueError):
    """A file does not say what its axes are, and guessing could be wrong.

    Parameters
    ----------
    subject, problem, fix : str
        As in `BiosegError`.
    shape : tuple of int
        Shape of the array whose axes are wanted.
    choices : tuple of str
        Plausible answers, the likeliest first, e.g. ``("ZYX", "TYX", "CYX")``.
    """

    def __init__(
        self,
        subject: str,
        problem: str,
        fix: str = "",
        *,
        shape: tuple[int, ...] = (),
        choices: tuple[str, ...] = (),
    ) -> None:
        super().__init__(subject, problem, fix)
        self.shape, self.choices = shape, choices


class UnwritableFileError(BiosegError, OSError):
    """A result cannot be saved where it was asked for."""


class DownloadError(BiosegError, OSError):
    """A download that the user asked for did not come, or is not what it should be."""


class ServerError(BiosegError, ConnectionError):
    """A tracking server cannot be reached, refuses, or breaks off."""


class ModelNotFoundError(BiosegError, LookupError):
    """No model of that name is in the zoo."""


class BrokenModelError(BiosegError, ValueError):
    """A model folder does not hold what its card says."""


class IncompatibleImageError(BiosegError, ValueError):
    """This model cannot take this image."""


class RecipeError(BiosegError, ValueError):
    """A recipe or one of its options is wrong."""


class EditError(BiosegError, LookupError):
    """A correction tool was used where it has nothing to do: a click on the background, one seed for two objects."""


class DeviceError(BiosegError, RuntimeError):
    """A device does not exist here, or its memory is used up."""


class WorkerError(BiosegError, RuntimeError):
    """A process that worked for us found something wrong, or is gone."""


class MissingDependencyError(BiosegError, ImportError):
    """An optional package is needed for what was asked."""


class Cancelled(BiosegError, RuntimeError):  # noqa: N818 - it is an outcome, not a fault
    """The user stopped a job; what was finished by then is kept."""
