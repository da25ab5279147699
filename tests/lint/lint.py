# SPDX-License-Identifier: Apache-2.0
"""What the lints share: a report in TAP, the list of files, and C without its comments.

A lint is a program that prints one TAP line per rule, the rule as a sentence, with what
broke it as "# file:line: why" lines below it, and exits 1 when any rule is broken. Every
lint takes --root, so that tests/lint/selftest can show it a small bad tree: a lint that
cannot fail is worth nothing. Python's standard library only.
"""
import argparse
import pathlib
import re
import subprocess
import sys

SHOWN_MAX = 40  # findings printed per rule
DATA_FOLDERS = ("tests/fuzz/corpus/", "tests/fixtures/", "tests/golden/", "build")


def parse_root(text, extra=None):
    """The tree to look at: --root, else the one this file is in."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    if extra:
        extra(parser)
    return parser.parse_args()


class Report:
    """Counts rules and findings; prints TAP."""

    def __init__(self):
        self.number = 0
        self.broken = 0

    def rule(self, sentence, findings):
        """One rule; findings is a list of lines, empty when the rule holds."""
        self.number += 1
        self.broken += bool(findings)
        print(f"{'not ok' if findings else 'ok'} {self.number} - {sentence}")
        for line in findings[:SHOWN_MAX]:
            print(f"# {line}")
        if len(findings) > SHOWN_MAX:
            print(f"# ... and {len(findings) - SHOWN_MAX} more")

    def skip(self, sentence, reason):
        self.number += 1
        print(f"ok {self.number} - {sentence} # SKIP {reason}")

    def note(self, line):
        print(f"# {line}")

    def end(self):
        print(f"1..{self.number}")
        sys.stdout.flush()
        sys.exit(1 if self.broken else 0)


def is_data(name):
    return name.startswith(DATA_FOLDERS) or "/data/" in name and name.startswith("tests/")


def all_files(root):
    """Every file git knows or would add, as sorted names from root; all of them without git."""
    git = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"],
                         capture_output=True, check=False)
    if git.returncode == 0 and (root / ".git").exists():
        names = [n for n in git.stdout.decode("utf-8", "replace").split("\0") if n]
    else:
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
    return sorted(n for n in set(names) if (root / n).is_file() and not is_data(n))


def text_of(path):
    return path.read_text(encoding="utf-8", errors="replace")


def is_text(path):
    with open(path, "rb") as stream:
        return b"\0" not in stream.read(8192)


_C_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
_RE2C = re.compile(r"/\*!re2c.*?\*/", re.S)


def without_comments(source, keep_strings=False):
    """C source with comments (and strings) blanked; line numbers stay. re2c's blocks are
    comments to C, but their actions are code: they are kept."""
    def blank(match):
        token = match.group(0)
        if token.startswith("/*!re2c"):
            return token
        if token[0] in "\"'":
            return token if keep_strings else token[0] * 2
        return "\n" * token.count("\n") or " "
    return _C_TOKEN.sub(blank, source)


def re2c_lines(source):
    """Line numbers (from 1) that lie in re2c's blocks."""
    lines = set()
    for match in _RE2C.finditer(source):
        first = source.count("\n", 0, match.start()) + 1
        lines.update(range(first, first + match.group(0).count("\n") + 1))
    return lines


def line_of(source, position):
    return source.count("\n", 0, position) + 1
