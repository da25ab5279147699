# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for one test, made with the openssl command: good certificates and wrong ones.

authority(folder) writes ca.pem and its key; issue(folder, name, hosts) a certificate for these host names and
addresses, signed by it. Nothing is trusted by the machine: who shall believe it is told the path of ca.pem.
"""
import ipaddress
import subprocess
from pathlib import Path


def _openssl(*words, folder):
    done = subprocess.run(["openssl", *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"openssl {words[0]}: {done.stderr.strip()}")


def _request(folder, name, subject):
    _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
             "-keyout", f"{name}.key", "-out", f"{name}.csr", folder=folder)


def authority(folder, name="ca"):
    """The path of a new authority's certificate."""
    folder = Path(folder)
    _request(folder, name, "/CN=Quell test authority")
    (folder / f"{name}.ext").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
                                        "subjectKeyIdentifier=hash\n")
    _openssl("x509", "-req", "-in", f"{name}.csr", "-signkey", f"{name}.key", "-days", "30", "-extfile",
             f"{name}.ext", "-out", f"{name}.pem", folder=folder)
    return folder / f"{name}.pem"


def issue(folder, name, hosts, by="ca", days=30):
    """(certificate, key) for hosts, of the authority `by` in the same folder; days < 0: no longer valid."""
    folder = Path(folder)
    kinds = ",".join(f"{_kind(host)}:{host}" for host in hosts)
    _request(folder, name, f"/CN={hosts[0]}")
    (folder / f"{name}.ext").write_text(f"subjectAltName={kinds}\nbasicConstraints=CA:FALSE\n"
                                        "extendedKeyUsage=serverAuth\n")
    _openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial",
             "-days", days, "-extfile", f"{name}.ext", "-out", f"{name}.pem", folder=folder)
    return folder / f"{name}.pem", folder / f"{name}.key"


def _kind(host):
    try:
        ipaddress.ip_address(host)
        return "IP"
    except ValueError:
        return "DNS"
