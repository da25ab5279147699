# SPDX-License-Identifier: Apache-2.0
"""An Exim of its own: its mainlog, its queue, aliases, and everything it takes goes to the sink by SMTP.

Recipients refused-here@... are refused by its access list, as a typical "unknown user"; users may authenticate.
more: lines of its main section, such as log_selector; routers and transports: more of these, tried first; source: the
address that it sends from. XCLIENT is not in Debian 12's Exim, so a sender's address is the loopback address that it
connects from.
"""
from .jail import JailedServer

PASSWORD = "correct-horse"

CONF = r"""
primary_hostname = {hostname}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
spool_directory = {base}/spool
log_file_path = {log_path}
domainlist ours = isp.example
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
add_environment = PATH=/usr/sbin:/usr/bin
never_users =
tls_advertise_hosts =
smtp_accept_max = 50
smtp_accept_reserve = 0
smtp_reserve_hosts =
queue_run_max = 5
remote_max_parallel = 5
ignore_bounce_errors_after = 1h
delay_warning =
acl_smtp_rcpt = rcpt
acl_smtp_data = data
{more}

begin acl

rcpt:
  deny local_parts = refused-here
       message = Unknown user
  accept

data:
  accept

begin routers
{routers}
aliases:
  driver = redirect
  domains = +ours
  data = ${{lookup{{$local_part@$domain}}lsearch{{/etc/exim4/aliases}}}}
  errors_to =

all:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = sink

begin transports
{transports}
sink:
  driver = smtp
  port = {sink_port}
  interface = {source}
  hosts_try_fastopen =
  delay_after_cutoff = false

begin retry

* * F,5m,2s

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{{password}}}}}
  server_set_id = $auth2
"""


class Exim(JailedServer):
    NAME, PROGRAM = "exim", "usr/sbin/exim4"
    USERS = (("Debian-exim", 61001),)
    LOG = "log/mainlog"

    def __init__(self, *words, more="", routers="", transports="", source="127.0.0.1", to_syslog=False, **named):
        super().__init__(*words, **named)
        self._words = {"more": more, "routers": routers, "transports": transports, "source": source,
                       "log_path": "syslog" if to_syslog else f"{self.base}/log/%slog"}
        if to_syslog:
            self.log = self.base / "mail.log"

    def _settings(self):
        aliases = "".join(f"{name}: {', '.join(targets)}\n" for name, targets in self.aliases.items())
        return {"exim4/exim4.conf": CONF.format(base=self.base, port=self.port, sink_port=self.sink_port,
                                                hostname=self.hostname, password=PASSWORD, **self._words),
                "exim4/aliases": aliases}

    def _prepare(self):
        number = self.USERS[0][1]
        self.folder("spool", 0o750, number)
        self.folder("log", 0o755, number)

    def _command(self):
        return ["/usr/sbin/exim4", "-bdf", "-q2s", "-oP", self.base / "exim.pid"]
