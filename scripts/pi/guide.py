"""The guide to the Raspberry Pi, docs/raspberry-pi.md, as programs: its blocks by name, and the script that runs them on a Pi."""

from __future__ import annotations

import re
from pathlib import Path

from edge.errors import SetupError
from pi.systems import System

PAGE = Path(__file__).resolve().parents[2] / "docs" / "raspberry-pi.md"
FOLDER = "/guide"  # on the Pi: what is run there, and what a person would have copied
FIRST, NEWER = "1.0.0", "1.1.0"
# systemd as the machine's first program; the guide is its only service. Packages are unpacked and not configured: what their own
# scripts would have made is made here.
BOOT = """echo root:x:0:0:root:/guide:/bin/bash > /etc/passwd
echo root:x:0: > /etc/group
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
[ -e /bin/sh ] || /busybox ln -s bash /bin/sh
/busybox mkdir -p /etc/ssl/certs
/busybox cat /usr/share/ca-certificates/mozilla/*.crt > /etc/ssl/certs/ca-certificates.crt
{body}
exec /lib/systemd/systemd --unit=guide.target --show-status=no --log-target=journal
"""
UNITS = {
    "guide.service": """[Unit]
DefaultDependencies=no
Requires=systemd-journald.service
After=systemd-journald.service
[Service]
Type=oneshot
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
Environment=HOME=/guide USER=root LC_ALL=C.UTF-8 PATH=/guide/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/bin/bash /guide/run
""",
    "guide.target": "[Unit]\nDefaultDependencies=no\nRequires=guide.service\nAfter=guide.service\n",
}
TOOLS = {
    "sudo": 'exec "$@"\n',
    # Without a network nothing is installed; what the guide installs has to be in the system that was unpacked.
    "apt-get": """shift 2
for package; do
  case " {packages} " in *" $package "*) ;; *) echo "$package is not in this system" >&2; exit 1 ;; esac
done
""",
}
NO_NETWORK = "export PIP_NO_INDEX=1 PIP_FIND_LINKS=/guide/wheels\n"
WAIT = """while state=$(systemctl show -P ActiveState tandem); [ "$state" = active ] || [ "$state" = activating ]; do sleep 1; done
echo "service: $state, $(systemctl show -P ExecMainStatus tandem), started again $(systemctl show -P NRestarts tandem) times"
"""


def block(name: str) -> str:
    """Return the content of the guide's block of this name.

    Raises:
        SetupError: The guide has no such block, or several.
    """
    found = re.findall(rf"^```\w+ {name}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if len(found) != 1:
        raise SetupError(f"{PAGE.name}: {len(found)} blocks are called {name!r}, expected one")
    return str(found[0])


def download(system: System) -> str:
    """Return the guide's command that fetches wheels for a system without a network, with the Python that it says to put in."""
    words = block("download" if system.bits == 64 else "download-32")
    return words.replace("3.11", system.python).replace("cp311", f"cp{system.python.replace('.', '')}")


def steps(system: System, model: str) -> dict[str, str]:
    """Return scripts for bash by name, in the order in which the guide has them; each stops at its first failure."""
    width = "" if system.bits == 64 else "-32"
    shared = "" if system.bits == 64 else " --system-site-packages"
    names = f"export MODEL={model} VERSION={{}}\n"

    def come_in(version: str) -> str:
        return names.format(version) + f"cp -r {FOLDER}/{version} /opt/tandem/incoming/\n" + block("install")

    return {
        "setup": NO_NETWORK + block(f"setup{width}"),
        "bundle": come_in(FIRST),
        "service": f"cp {FOLDER}/app.py {FOLDER}/seven.png /opt/tandem/\n"
        + "systemd-analyze verify --man=no /etc/systemd/system/tandem.service\n"
        + block("service")
        + WAIT,
        "newer": come_in(NEWER) + block("restart") + WAIT,
        "back": names.format(NEWER) + block("rollback") + block("restart") + WAIT,
        "damaged": f"printf x | dd of=/opt/tandem/bundles/{model}/{FIRST}/contract.json bs=1 seek=9 conv=notrunc status=none\n"
        + block("restart")
        + WAIT
        + "journalctl -u tandem --no-pager -o cat\n",
        "offline": f"python3 -m venv --clear{shared} /opt/tandem/venv\n" + block(f"offline{width}"),
    }


def driver(names: list[str], begin: str, end: str) -> str:
    """Return the script that runs all steps up to the first that fails, and switches the machine off."""
    return f"""echo "{begin}"
for name in {" ".join(names)}; do
  echo "== $name begins"
  ( cd {FOLDER}; bash -eo pipefail {FOLDER}/steps/$name )
  code=$?
  echo "== $name ends: $code"
  [ $code = 0 ] || break
done
echo "{end}"
sync
/busybox poweroff -f
"""
