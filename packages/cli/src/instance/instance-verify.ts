import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { CmcpError } from "@cmcp/boundary";
import { OUTCOME_EXIT, renderChecks, verifyInstance, type InstanceVerdict } from "@cmcp/verify";
import { readArguments } from "../arguments.ts";
import type { Command, Terminal } from "../command.ts";
import { readFileOf } from "../read-file.ts";
import { PIN_OPTIONS, pinsOf } from "../verify/pin-options.ts";
import { printLines } from "../verify/print-verdict.ts";
import { instanceJson, instanceLines, shownInstance, type ShownInstance } from "./shown-instance.ts";

const OPTIONS = {
  ...PIN_OPTIONS,
  nonce: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp instance verify` */
export const instanceVerify: Command = {
  help: `Usage: cmcp instance verify REPORT [options]

Verifies the report of a running instance offline (the answer to GET /attestation), and prints what it is: keys, platform,
measurement, launch, mode, policy, catalog; with the launch document channel, witnesses and whether answers are padded.
Nothing of it is believed but what the platform's evidence carries.

  --nonce NONCE            the nonce that the report was asked with. Without one nothing shows that it is of the present
  --appraisal-policy FILE|PRESET  how the evidence is appraised (docs/reference/appraisal-policy.md); strict by default
  --launch-document FILE   the launch document the machine must have been started with, and that policy and catalog
                           must follow from
  --policy-bundle FOLDER   a bundle that replaced the launch document's; may be given again
  --catalog-versions FILE  the versions of the catalog that replaced the launch document's (cmcp catalog approve)
  --launch-digest HEX      the launch document's digest instead: SHA-256, SHA-384 for TDX
  --measurement HEX        an accepted measurement; may be given again
  --measurements FILE      measurements.json of the accepted image
  --policy-hash HASH       the policy bundle that must be in force (cmcp policy hash)
  --catalog-hash HASH      the catalog that must be in force (cmcp catalog hash)
  --trusted-key KEY        the only signing key accepted: base64url of 32 bytes
  --certs FILE             certificates that the evidence lacks: DER or PEM. May be given again
  --collateral FILE        revocation lists, TCB info, QE identity that it lacks. May be given again
  --at TIME                verify as of this time (ISO 8601); now by default
  --allow-software-only    accept a report without hardware evidence, and a development instance
  --allow-mode MODE        accept this mode: advisory or silent; enforcing is accepted without it
  --json                   verdict and instance as JSON, as cmcp connect --json prints them

Exit codes: 0 accepted, 10 rejected, 20 unsupported, 30 malformed, 64 usage, 1 internal.
Example:    cmcp instance verify report.json --allow-software-only
`,
  async run(args, terminal) {
    const { values, positional: path } = readArguments(args, OPTIONS, "REPORT");
    if (path === undefined) throw new CmcpError("USAGE", "REPORT is required");
    const { certs = [], collateral = [], nonce } = values;
    const pins = await pinsOf(values);
    const verdict = await verifyInstance(
      {
        report: await readFileOf(path),
        certificates: await Promise.all(certs.map(readFileOf)),
        collateral: await Promise.all(collateral.map(readFileOf)),
      },
      { ...pins, ...(nonce === undefined ? {} : { nonce }) },
      nodeCrypto,
    );
    const shown = shownInstance(verdict, pins.launch?.document ?? null);
    if (values.json) terminal.out.write(`${JSON.stringify(instanceJson(verdict, shown))}\n`);
    else print(verdict, shown, terminal);
    return OUTCOME_EXIT[verdict.outcome];
  },
};

function print(verdict: InstanceVerdict, shown: ShownInstance, terminal: Terminal): void {
  const { outcome, assurance, checks } = verdict;
  const isAccepted = outcome === "accepted";
  const tone = isAccepted ? "good" : "bad";
  printLines([{ tone, text: `${outcome.toUpperCase()} (assurance: ${assurance})` }, ...renderChecks(checks)], terminal);
  if (!isAccepted) return;
  printLines(
    instanceLines(verdict, shown).map((text) => ({ tone: "plain", text })),
    terminal,
  );
}
