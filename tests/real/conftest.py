# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests against real servers: a folder other users can enter, mailboxes, Postfix, quelld.

Everything is stopped by its finalizer, also when a test fails, and the folder is removed unless $QUELL_KEEP is set.
"""
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from quelltest import dovecot as dovecot_module  # noqa: E402
from quelltest import fetch as fetch_module  # noqa: E402
from quelltest import postfix as postfix_module  # noqa: E402
from quelltest import proc, realmail  # noqa: E402
from quelltest.sink import Sink  # noqa: E402


def _on_term(*_):
    raise KeyboardInterrupt("SIGTERM")  # so that finalizers run: pytest alone would just die


def pytest_configure():
    signal.signal(signal.SIGTERM, _on_term)
    signal.signal(signal.SIGHUP, _on_term)


@pytest.fixture(scope="session", autouse=True)
def unpacked_postfix():
    """Unpack Postfix if no test run or demo has done so yet."""
    try:
        postfix_module.find_tree()
    except RuntimeError:
        subprocess.run(["bash", "-c", ". tests/setup && setup_postfix"], cwd=proc.TOP, check=True, timeout=300)


@pytest.fixture
def base():
    folder = tempfile.mkdtemp(prefix="quell-real-")
    os.chmod(folder, 0o755)
    yield Path(folder)
    if not os.environ.get("QUELL_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def closing():
    """An ExitStack: what a test starts with closing.enter_context() is stopped, whatever happens."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def sink():
    with Sink() as mailboxes:
        yield mailboxes


@pytest.fixture
def quelld_program():
    program = proc.build_dir() / "quelld"
    if not program.exists():
        pytest.fail(f"{program} is not built")
    return program


@pytest.fixture(scope="session")
def unpacked_dovecot():
    """Unpack Dovecot if nobody has done so yet; skips by name where it cannot run."""
    try:
        dovecot_module.find_tree()
    except RuntimeError:
        subprocess.run(["bash", "-c", ". tests/setup && setup_dovecot"], cwd=proc.TOP, check=True, timeout=300)
    reason = dovecot_module.why_not()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def fetch_program():
    reason = fetch_module.why_not()
    if reason:
        pytest.fail(reason)
    return fetch_module.program()


@pytest.fixture(scope="session")
def real_mails():
    """2,000 mails of the ordinary sets."""
    mails = realmail.ordinary(2000)
    if not mails:
        pytest.skip("the sets of real mail are not here (../shared/data/unpack, or QUELL_DATA)")
    return mails
