"""Check that a wheel holds the package, its typing mark and licence, and asks for two dependencies only."""

from __future__ import annotations

import email
import sys
import zipfile

NEEDED = {
    "pytest_resilient_session.py",
    "resilient_session/__init__.py",
    "resilient_session/py.typed",
    "resilient_session/testing/__init__.py",
}


def main(path: str) -> int:
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        info = next(name.partition("/")[0] for name in names if ".dist-info/" in name)
        metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
    strangers = {
        name for name in names if not name.startswith((info, "resilient_session/", "pytest_resilient_session.py"))
    }
    required = {line.split(">")[0] for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}
    faults = [
        *(f"missing: {name}" for name in sorted({*NEEDED, f"{info}/licenses/LICENSE"} - names)),
        *(f"does not belong there: {name}" for name in sorted(strangers)),
        *([] if required == {"requests", "urllib3"} else [f"dependencies: {sorted(required)}"]),
    ]
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return len(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
