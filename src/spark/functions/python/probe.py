# What a Spark worker has. It is called with a row's number, which says nothing.
import json, os, platform, shutil, subprocess, sys


def version_of(name):
    try:
        return __import__(name).__version__
    except Exception:
        return None


def node_of(path):
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=20).stdout.decode().strip().lstrip("v")
    except Exception:
        return None


def probe(path):
    def run(_):
        node = path or shutil.which("node")
        return json.dumps(
            {
                "python": "%d.%d" % sys.version_info[:2],
                "pyarrow": version_of("pyarrow"),
                "platform": sys.platform,
                "machine": platform.machine(),
                "libc": platform.libc_ver()[0],
                "nodePath": node,
                "node": node_of(node) if node else None,
            }
        )

    return run
