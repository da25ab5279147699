# SPDX-License-Identifier: Apache-2.0
"""A Postfix as the connector's own local server: a listener made for it, beside an ordinary one.

The listener takes mail for the firm's domain only, trusts no address and expands no alias; what it takes goes to
the firm's store by LMTP. Everything else that Postfix might ever send (a bounce, a relayed copy) goes to `outside`,
a sink that takes all and counts: it must stay empty.
"""
from . import proc
from .postfix import PrivatePostfix

LISTENER = """
127.0.0.1:{port} inet n - n - - smtpd
  -o mynetworks=
  -o smtpd_relay_restrictions=reject_unauth_destination
  -o receive_override_options=no_address_mappings
  -o smtpd_milters=
"""


# Postfix would drop Bcc and Return-Path, and complete Resent-* fields: the tests look for the bytes they sent.
AS_IT_IS = "message_drop_headers =\nlocal_header_rewrite_clients =\n"


class FirmPostfix(PrivatePostfix):
    """store: "unix:/path" or "inet:host:port" of the store's LMTP; fetch_port: the listener for the connector."""

    def __init__(self, base, store, outside_port, domains=("firm.example",), more=""):
        base.mkdir(exist_ok=True)
        more = f"relay_domains = {', '.join(domains)}\nrelay_transport = lmtp:{store}\n{AS_IT_IS}{more}"
        super().__init__(base, outside_port, more=more, hostname="mx.firm.example")
        self.fetch_port = proc.free_port()

    def _lay_out(self):
        super()._lay_out()
        with open(self.base / "etc/master.cf", "a", encoding="utf-8") as master:
            master.write(LISTENER.format(port=self.fetch_port))

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.fetch_port}"
