"""Prints, as JSON, what the public verifier makes of a kill switch refusal receipt and the claim that it names."""

import json
import sys
from pathlib import Path

from cmcp_verify import verify_kill_switch_refusal

receipt, claim = (json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:3])
found = verify_kill_switch_refusal(receipt, claim)
print(json.dumps({"valid": found.valid, "agent_id": found.agent_id, "errors": found.errors}))
