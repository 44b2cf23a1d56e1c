import { OUTCOME_EXIT } from "@cmcp/verify";
import { readArguments, required } from "../arguments.ts";
import type { Command } from "../command.ts";
import { checkWholeLog } from "./check-whole-log.ts";
import { ExportedLog } from "./exported-log.ts";
import { HEAD_HELP, HEAD_OPTIONS, headExpectations, trustedKeyOf } from "./head-options.ts";
import { printLogVerdict } from "./print-log-verdict.ts";

const OPTIONS = {
  ...HEAD_OPTIONS,
  origin: { type: "string" },
  "trusted-key": { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp log verify` */
export const logVerify: Command = {
  help: `Usage: cmcp log verify DIR [options]

Verifies an exported log by itself, offline: every leaf hash, tile and root is derived again from the entries, every
body held to its leaf, every hand-over to the head before it, the entries of each session to their chain, and the
checkpoint to the key of the instance that wrote last. What is not there is listed as not performed. An epoch after 0
needs the operator's statement that opened it, in each hand-over.

  --origin ORIGIN          the log that it must be
  --trusted-key KEY        the key that must have signed the checkpoint: base64url of 32 bytes
${HEAD_HELP}
  --json                   the verdict as JSON; origin is "trusted key" or "not proven"

Exit codes: 0 accepted, 10 rejected, 30 malformed, 64 usage, 1 internal.
Example:    cmcp log verify out/log --origin gateway.example/0
`,
  async run(args, terminal) {
    const { values, positional } = readArguments(args, OPTIONS, "DIR");
    const folder = required(positional, "DIR");
    const { origin, "trusted-key": key, json } = values;
    const expected = {
      ...trustedKeyOf(key),
      ...(await headExpectations(values)),
      ...(origin === undefined ? {} : { origin }),
    };
    const verdict = await checkWholeLog(await ExportedLog.open(folder), expected);
    printLogVerdict(verdict, json, terminal);
    return OUTCOME_EXIT[verdict.outcome];
  },
};
