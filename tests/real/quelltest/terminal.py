# SPDX-License-Identifier: Apache-2.0
"""A terminal for full-screen programs: a pseudo terminal and what would stand on its screen.

It knows the sequences that curses uses on an xterm. One that it does not know is an error of the program under test
or of this file, so it is kept in `unknown`, for the test to look at.
"""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata

SEQUENCE = re.compile(r"\x1b(?:\[([?>]?)([0-9;]*)([A-Za-z@`])|[()]([0AB])|([78=>M]))")
ESCAPED_MAX = 40


class Screen:
    """Characters and whether each is bold, reverse or coloured."""

    def __init__(self, lines, columns):
        self.unknown = []
        self.rest = ""
        self.resize(lines, columns)

    def resize(self, lines, columns):
        self.lines, self.columns = lines, columns
        self.cells = [[(" ", "")] * columns for _ in range(lines)]
        self.y = self.x = 0
        self.look, self.last = "", " "
        self.top, self.bottom = 0, lines  # the scrolling region

    def text(self):
        return ["".join(cell for cell, _ in row).rstrip() for row in self.cells]

    def looks(self, y):
        """The looks that occur in a line."""
        return {look for cell, look in self.cells[y] if look and cell != " "}

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self._put(text[at])
                at += 1
                continue
            found = SEQUENCE.match(text, at)
            if found:
                self._obey(found)
                at = found.end()
            elif len(text) - at < ESCAPED_MAX:
                self.rest = text[at:]
                return
            else:
                self.unknown.append(text[at:at + ESCAPED_MAX])
                at += 1

    def _put(self, char):
        if char == "\r":
            self.x = 0
        elif char == "\n":
            self._down()
        elif char == "\b":
            self.x = max(self.x - 1, 0)
        elif char < " " or "\x7f" <= char < "\xa0":
            if char not in "\x0f\x07":
                self.unknown.append(char)
        elif unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
            before = max(self.x - 1, 0)
            self.cells[self.y][before] = (self.cells[self.y][before][0] + char, self.look)
        else:
            self._print(char, 2 if unicodedata.east_asian_width(char) in "WF" else 1)

    def _print(self, char, width):
        if self.x + width > self.columns:
            self.x = 0
            self._down()
        self.cells[self.y][self.x] = (char, self.look)
        if width == 2:
            self.cells[self.y][self.x + 1] = ("", self.look)
        self.x += width
        self.last = char

    def _obey(self, found):
        private, numbers, verb, _, single = found.groups()
        if single or not verb:
            return  # keypad modes and character sets
        values = [int(number) if number else 0 for number in numbers.split(";")]
        first = values[0] or 1
        moves = {"A": (-first, 0), "B": (first, 0), "C": (0, first), "D": (0, -first)}
        if private or verb in "hlt":
            return  # modes: the alternate screen, the cursor's looks
        if verb in "Hf":
            self._move(first - 1, (values[1] if len(values) > 1 else 1) - 1)
        elif verb in moves:
            self._move(self.y + moves[verb][0], self.x + moves[verb][1])
        elif verb == "d":
            self._move(first - 1, self.x)
        elif verb in "G`":
            self._move(self.y, first - 1)
        elif verb == "m":
            self._paint(values)
        elif verb == "r":
            self.top, self.bottom = first - 1, values[1] if len(values) > 1 and values[1] else self.lines
            self._move(0, 0)
        elif verb in "STLM":
            self._scroll(self.y if verb in "LM" else self.top, count=first if verb in "SM" else -first)
        elif verb in "JKXPb@":
            self._change(verb, values[0], first)
        else:
            self.unknown.append(found.group())

    def _down(self):
        if self.y == self.bottom - 1:
            self._scroll(self.top, 1)
        else:
            self.y = min(self.y + 1, self.lines - 1)

    def _scroll(self, top, count):
        """Lines from top to the region's end go up by count, or down when it is below 0."""
        rows, empty = self.cells[top:self.bottom], [[(" ", "")] * self.columns for _ in range(abs(count))]
        rows = rows[count:] + empty if count > 0 else empty + rows[:count]
        self.cells[top:self.bottom] = rows[:self.bottom - top]

    def _move(self, y, x):
        self.y, self.x = max(0, min(y, self.lines - 1)), max(0, min(x, self.columns - 1))

    def _paint(self, values):
        names = {1: "bold", 7: "reverse"}
        for value in values:
            if value in (0, 39, 10, 22, 27, 49):
                self.look = "" if value == 0 else self.look
            elif value in names or 30 <= value < 38:
                self.look = (self.look + " " + names.get(value, f"colour {value - 30}")).strip()

    def _change(self, verb, value, count):
        row, blank = self.cells[self.y], (" ", "")
        if verb == "J":
            self._wipe_row(value)
            for y in range(self.y + 1, self.lines) if value == 0 else range(self.lines) if value == 2 else []:
                self.cells[y] = [blank] * self.columns
        elif verb == "K":
            self._wipe_row(value)
        elif verb == "X":
            row[self.x:self.x + count] = [blank] * len(row[self.x:self.x + count])
        elif verb == "P":
            self.cells[self.y] = (row[:self.x] + row[self.x + count:] + [blank] * count)[:self.columns]
        elif verb == "@":
            self.cells[self.y] = (row[:self.x] + [blank] * count + row[self.x:])[:self.columns]
        else:
            for _ in range(count):
                self._print(self.last, 1)

    def _wipe_row(self, value):
        begin, end = (self.x, self.columns) if value == 0 else (0, self.x + 1) if value == 1 else (0, self.columns)
        self.cells[self.y][begin:end] = [(" ", "")] * (end - begin)


class Terminal:
    """A program on a pseudo terminal. A context manager: the program is ended, whatever happens."""

    def __init__(self, command, lines, columns, environment=None):
        self.screen = Screen(lines, columns)
        self.master, slave = pty.openpty()
        self._size(slave, lines, columns)
        env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        env.update({"TERM": "xterm", **(environment or {})})
        self.process = subprocess.Popen([str(word) for word in command], stdin=slave, stdout=slave, stderr=slave,
                                        env=env, start_new_session=True)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    @staticmethod
    def _size(fd, lines, columns):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, lines, columns):
        self.screen.resize(lines, columns)
        self._size(self.master, lines, columns)
        self.process.send_signal(28)  # SIGWINCH: the pseudo terminal is not the program's controlling one

    def press(self, keys):
        os.write(self.master, keys.encode())

    def read(self, seconds):
        """Take what comes within that time. False: the program closed its end."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                return True
            try:
                data = os.read(self.master, 65536)
            except OSError:  # how Linux says end of file here
                return False
            if not data:
                return False
            self.screen.feed(data.decode(errors="replace"))

    def wait_for(self, condition, timeout_s, what):
        """Until condition(lines of text) holds."""
        end = time.monotonic() + timeout_s
        while not condition(self.screen.text()):
            if time.monotonic() > end or not self.read(0.1):
                raise AssertionError(f"waited for {what}; the screen:\n" + "\n".join(self.screen.text()))
        return self.screen.text()

    def wait_end(self, timeout_s):
        """The exit status."""
        end = time.monotonic() + timeout_s
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.1)
        return self.process.wait(timeout=1)
