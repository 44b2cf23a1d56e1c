import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { fromBase64Url, CmcpError } from "@cmcp/boundary";
import { OUTCOME_EXIT, verifyBundle } from "@cmcp/verify";
import { readArguments, required } from "../arguments.ts";
import type { Command } from "../command.ts";
import { readFileOf } from "../read-file.ts";
import { bundlePieces } from "../verify/bundle-file.ts";
import { printVerdict } from "../verify/print-verdict.ts";
import { receiptsIn } from "../verify/receipt-files.ts";
import { sessionTerms } from "../verify/session-terms.ts";

const OPTIONS = {
  receipt: { type: "string", multiple: true },
  disclosure: { type: "string", multiple: true },
  "trusted-key": { type: "string" },
  "allow-software-only": { type: "boolean", default: false },
  "allow-mode": { type: "string", multiple: true },
  "require-complete-history": { type: "boolean", default: false },
  "require-sealed": { type: "boolean", default: false },
  "seal-keys": { type: "string" },
  "require-signed-provisioning": { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp audit verify` */
export const auditVerify: Command = {
  help: `Usage: cmcp audit verify BUNDLE [options]

Verifies an audit bundle by itself, offline: one unbroken chain, whole or still open, with every receipt at
its place. Without a claim it does not show under which policy and on which platform the session ran, and
without --trusted-key not even who made it: the signature has no key to be checked with, and the verdict is
ACCEPTED, ORIGIN NOT PROVEN. What was not shown is listed as not performed.

  --receipt FILE         a receipt an agent kept, or several, one a line; may be given again
  --disclosure FILE      a call that an auditor disclosed, held to its entry; may be given again
  --trusted-key KEY      the key that must have signed bundle and receipts: base64url of 32 bytes
  --allow-software-only  accept a record without hardware evidence, which a bundle by itself always is
  --allow-mode MODE      accept a session in this mode, advisory or silent; may be given again
  --require-complete-history  accept only a session whose instance knew all that earlier ones recorded
  --require-sealed         accept only a session whose requests were sealed, so that its host read none
  --seal-keys NAME         the keys that requests were sealed to, as the instance's report names them
                           (cmcp instance verify, "seal key"); the session must name the same
  --require-signed-provisioning  accept only a session whose tokens came in signed statements, and not from the host
  --json                 the verdict as JSON; origin is "trusted key" or "not proven"

Exit codes: 0 accepted, 10 rejected, 30 malformed, 64 usage, 1 internal.
Example:    cmcp audit verify out/audit-bundle.json --receipt out/receipt.json --allow-software-only
`,
  async run(args, terminal) {
    const { values, positional } = readArguments(args, OPTIONS, "BUNDLE");
    const path = required(positional, "BUNDLE");
    const { "trusted-key": trustedKey, receipt = [], disclosure = [] } = values;
    if (trustedKey !== undefined && fromBase64Url(trustedKey)?.length !== 32)
      throw new CmcpError("USAGE", "--trusted-key is base64url of 32 bytes");
    const expected = {
      allowSoftwareOnly: values["allow-software-only"],
      ...sessionTerms(values),
      ...(trustedKey === undefined ? {} : { trustedKey }),
    };
    const verdict = await verifyBundle(
      {
        bundle: bundlePieces(path),
        receipts: await receiptsIn(receipt),
        disclosures: await Promise.all(disclosure.map(readFileOf)),
      },
      expected,
      nodeCrypto,
    );
    printVerdict(verdict, values.json, terminal);
    return OUTCOME_EXIT[verdict.outcome];
  },
};
