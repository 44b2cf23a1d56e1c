"""Writes packages/manifest/vectors/public-package.json: what the public package makes under a key of this script, and its own verdicts.

.cache/interop-manifest/venv/bin/python test/interop/python/make_vectors.py (make interop installs the environment)
"""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

here = Path(__file__).parent
policy_hash, catalog_hash = "sha256:" + "a" * 64, "sha256:" + "b" * 64
agent_id, seed = "spiffe://bank.example/agents/desk", "01" * 32


def script(name: str, *args: str) -> str:
    return subprocess.run([sys.executable, here / name, *args], check=True, capture_output=True, text=True).stdout


def tampered(whole: bytes) -> bytes:
    """One byte of the signed statement of intent is another."""
    assert whole.count(b"Reads") == 1
    return whole.replace(b"Reads", b"reads")


with TemporaryDirectory() as name:
    folder = Path(name)
    script("make_manifests.py", name, policy_hash, catalog_hash, agent_id, seed)
    vectors = []
    for form, file in (("json", "manifest.json"), ("cose", "manifest.cose")):
        path = folder / file
        whole = path.read_bytes()
        for kind, content in (("good", whole), ("tampered", tampered(whole))):
            path.write_bytes(content)
            verdict = json.loads(script("verify_manifest.py", str(path), str(folder / "anchors.json"), policy_hash, catalog_hash))
            vectors.append({"name": f"{form}-{kind}", "form": form, "hex": content.hex(), "public_verdict": verdict})
    made = {
        "source": f"agent-manifest {version('agent-manifest')}, under a synthetic key: python test/interop/python/make_vectors.py, in the environment "
        "that make interop installs. A tampered manifest has one byte of its intent changed. public_verdict is that package's.",
        "anchors": json.loads((folder / "anchors.json").read_text(encoding="utf-8")),
        "agent_id": agent_id,
        "policy_hash": policy_hash,
        "catalog_hash": catalog_hash,
        "manifests": vectors,
        "crl": (folder / "crl.jsonl").read_text(encoding="utf-8"),
    }
target = here.parents[2] / "packages/manifest/vectors/public-package.json"
target.parent.mkdir(exist_ok=True)
target.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
