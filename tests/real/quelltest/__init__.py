# SPDX-License-Identifier: Apache-2.0
"""The real-world side of Quell's tests: a private Postfix, mailboxes, senders, the connector of 2005.

Standard library only, for Debian's /usr/bin/python3. Everything listens on 127.0.0.0/8, on free ports, in a
temporary folder, and is stopped by its process id. Nothing here reads or writes the machine's own mail set-up.
"""
