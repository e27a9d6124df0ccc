"""What every handler shares: reading a job's input, and saying no in a form the client understands."""

import base64
import binascii

# Raised when the form of a job changes so that an older handler would read it wrongly.
VERSION = 1

# Pictures and sounds of one job are bounded by what the service passes on; this bounds a single one.
MAX_BYTES = 32 << 20


class Refused(Exception):
    """A job that cannot be done. `code` is `invalid` or `over_budget`; the client tries neither again."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def read_task(job, tasks):
    """The input of a job and its task, one of `tasks` or `warm_up`."""
    given = job.get("input") if isinstance(job, dict) else None
    if not isinstance(given, dict):
        raise Refused("invalid", "a job needs an `input` object")
    if given.get("version") != VERSION:
        raise Refused("invalid", f"this handler reads version {VERSION} of jobs, not {given.get('version')!r}")
    task = given.get("task")
    if task != "warm_up" and task not in tasks:
        raise Refused("invalid", f"this handler does {', '.join(tasks)}, not {task!r}")
    return given, task


def read_bytes(text, what):
    """Base64 as bytes."""
    if not isinstance(text, str) or len(text) > MAX_BYTES * 4 // 3 + 4:
        raise Refused("invalid", f"{what} is not Base64 of at most {MAX_BYTES >> 20} MB")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("invalid", f"{what} is not Base64") from None


def read_number(given, name, default, least, most):
    """A number within its range, or the default where there is none."""
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise Refused("invalid", f"`{name}` is a number from {least} to {most}")
    return value


def read_list(given, name, most):
    """A list of objects that is not empty."""
    items = given.get(name)
    if not isinstance(items, list) or not items or not all(isinstance(i, dict) for i in items):
        raise Refused("invalid", f"`{name}` is a list of objects")
    if len(items) > most:
        raise Refused("over_budget", f"`{name}` has {len(items)} entries, more than {most}")
    return items


def refusal(error):
    """The form in which the client reads an error."""
    if isinstance(error, Refused):
        return {"error": {"code": error.code, "message": str(error)}}
    return {"error": {"code": "failed", "message": f"{type(error).__name__}: {error}"}}


class Lazy:
    """A model that is loaded when it is first needed, so that importing a handler is free."""

    def __init__(self, load):
        self._load = load
        self._model = None

    def __call__(self):
        if self._model is None:
            self._model = self._load()
        return self._model


def handler(run, tasks, model):
    """A handler for jobs with one answer: `run(input, model)` gives it."""

    def handle(job):
        try:
            given, task = read_task(job, tasks)
            loaded = model()
            return {"ready": True} if task == "warm_up" else run(given, loaded)
        except Exception as error:  # Whatever went wrong is told to the client.
            return refusal(error)

    return handle


def open_picture(jpeg):
    """JPEG bytes as a picture in RGB."""
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(jpeg)).convert("RGB")
    except (UnidentifiedImageError, OSError):
        raise Refused("invalid", "a picture is not JPEG") from None
