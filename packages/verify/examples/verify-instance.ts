import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import { preset } from "@cmcp/appraise";
import { verifyInstance } from "@cmcp/verify";

// What GET /attestation answers, with or without a nonce.
const report = await readFile(new URL("../../claim/examples/record/instance.json", import.meta.url));

const verdict = await verifyInstance(
  { report },
  {
    now: new Date(1785542402000),
    nonce: "Zm9yLXRoZS1leGFtcGxl",
    allowSoftwareOnly: true,
    appraisal: preset("strict"),
  },
  webcrypto,
);
assert.equal(verdict.outcome, "accepted");
// What the instance signs with. Software attestation shows nothing about where the key lives.
assert.equal(verdict.keys?.["signing"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
assert.equal(verdict.assurance, "functional only");
