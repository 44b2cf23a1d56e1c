import { CmcpError } from "@cmcp/boundary";
import { EVIDENCE_KINDS, describeEvidence } from "@cmcp/appraise";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readEvidenceInput } from "../malformed-input.ts";
import { readFileOf } from "../read-file.ts";

const OPTIONS = { as: { type: "string" }, json: { type: "boolean", default: false } } as const;

/** `cmcp evidence show` */
export const evidenceShow: Command = {
  help: `Usage: cmcp evidence show FILE [--as KIND] [--json]

Prints a report, quote, event log, certificate, revocation list or collateral readably. It shows what the file
says; nothing of it is verified.

  --as KIND   what the file is: ${EVIDENCE_KINDS.join(", ")};
              found out when not given
  --json      one line: kind, rows

Exit codes: 0 shown, 30 not one of these, 64 usage.
Example:    cmcp evidence show report.bin
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, OPTIONS, "FILE");
    const path = required(positional, "FILE");
    const kind = values.as === undefined ? undefined : EVIDENCE_KINDS.find((known) => known === values.as);
    if (values.as !== undefined && kind === undefined)
      throw new CmcpError("USAGE", `--as is one of ${EVIDENCE_KINDS.join(", ")}`);
    const bytes = await readFileOf(path);
    const shown = readEvidenceInput(() => describeEvidence(bytes, kind));
    if (values.json) {
      out.write(`${JSON.stringify({ ok: true, ...shown })}\n`);
      return EXIT.ok;
    }
    const width = Math.min(40, Math.max(...shown.rows.map(({ label }) => label.length)));
    out.write(
      `${shown.kind}, not verified\n${shown.rows.map(({ label, value }) => `  ${label.padEnd(width)}  ${value}\n`).join("")}`,
    );
    return EXIT.ok;
  },
};
