# SPDX-License-Identifier: Apache-2.0
"""A small live view: lines that stay, and below them a block that is drawn anew.

On a terminal the block is redrawn in place; in a pipe a single line is printed every few seconds and the block once
at the end. NO_COLOR and narrow terminals are honoured; TERM=dumb counts as a pipe. Broken pipes raise OSError.
"""
import collections
import os
import shutil
import textwrap
import time

Table = collections.namedtuple("Table", "heads widths rows drop", defaults=((),))

WIDTH_MAX, PIPE_STEP_S, DRAW_STEP_S = 100, 5.0, 0.2


class Screen:
    def __init__(self, out):
        self.out = out
        self.is_live = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.has_colour = self.is_live and not os.environ.get("NO_COLOR")
        self._begin = time.monotonic()
        self._drawn = []        # the lines of the block now on the terminal
        self._next_s = 0.0

    def width(self):
        return max(40, min(WIDTH_MAX, shutil.get_terminal_size((80, 24)).columns - 1))

    def elapsed_s(self):
        return time.monotonic() - self._begin

    def _paint(self, text, code):
        return f"\033[{code}m{text}\033[0m" if self.has_colour else text

    def _write(self, text):
        self.out.write(text)
        self.out.flush()

    def _wipe(self):
        return f"\033[{len(self._drawn)}A\033[J" if self._drawn else ""

    def _block(self):
        return "\n".join(self._drawn) + "\n" if self._drawn else ""

    def event(self, words):
        """A line that stays, with the time."""
        stamp = f"{self.elapsed_s():5.0f} s  "
        lines = textwrap.wrap(words, self.width() - len(stamp)) or [""]
        text = self._paint(stamp, "2") + ("\n" + " " * len(stamp)).join(lines) + "\n"
        self._write(self._wipe() + text + self._block())  # in one piece, so that nothing can come between

    def draw(self, line, parts, is_last=False):
        """The block: a line and parts (Tables, or texts); not more often than the eye or a pipe wants it."""
        now = time.monotonic()
        if now < self._next_s and not is_last:
            return
        self._next_s = now + (DRAW_STEP_S if self.is_live else PIPE_STEP_S)
        if not self.is_live and not is_last:
            self._write(line + "\n")
            return
        lines = ["", line[:self.width()]]
        for part in parts:
            if part:
                lines += [""] + (self._lines(part) if isinstance(part, Table) else
                                 textwrap.wrap(part, self.width()))
        wipe, self._drawn = self._wipe(), lines
        self._write(wipe + self._block())

    def end(self):
        """The block stays as it is; what follows comes below."""
        self._drawn = []

    def _lines(self, table):
        keep = self._columns(table)
        lines = [self._row(table, keep, table.heads)]
        lines[0] = self._paint(lines[0], "1")
        return lines + [self._row(table, keep, row) for row in table.rows]

    def _columns(self, table):
        keep = list(range(len(table.heads)))
        for name in table.drop:
            if sum(table.widths[at] for at in keep) > self.width():
                keep.remove(table.heads.index(name))
        return keep

    def _row(self, table, keep, row):
        cells = []
        for at in keep:
            value, width = row[at], table.widths[at]
            text = f"{value:,}" if isinstance(value, int) else str(value)
            is_left = at == 0 or (isinstance(value, str) and table.heads[at] in ("build",))
            cells.append(text[:width - 1].ljust(width) if is_left else text.rjust(width))
        return "".join(cells).rstrip()[:self.width()]

    def table(self, table):
        self._write("\n".join(self._lines(table)) + "\n")

    def head(self, words):
        self._write("\n" + self._paint(words, "1") + "\n")

    def text(self, words):
        """A paragraph, wrapped to the width."""
        self._write("\n".join(textwrap.wrap(words, self.width())) + "\n")

    def laid_out(self, text, lines_max):
        """Text that has its lines already."""
        lines = text.rstrip("\n").split("\n")
        if len(lines) > lines_max:
            lines = lines[:lines_max] + [f"... and {len(lines) - lines_max} lines more"]
        self._write("\n".join(lines) + "\n")

    def verdict(self, is_good, words):
        self._write(self._paint(words, "1;32" if is_good else "1;31") + "\n")
