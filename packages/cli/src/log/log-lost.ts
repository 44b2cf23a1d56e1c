import { lostStoreStatementSchema, nextEpoch, operatorSigningInput, type SignedLostStore } from "@cmcp/audit/schema";
import { asCmcpError, CmcpError, schemaProblem, toBase64Url, toHex } from "@cmcp/boundary";
import { parseCheckpoint, parseNote } from "@cmcp/log/format";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { readOperatorKey } from "../key/key-file.ts";
import { readSmallFile } from "../read-file.ts";

const OPTIONS = {
  origin: { type: "string" },
  key: { type: "string" },
  reason: { type: "string" },
  checkpoint: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp log lost` */
export const logLost: Command = {
  help: `Usage: cmcp log lost --origin ORIGIN --key FILE --reason TEXT [--checkpoint FILE] [--json]

Signs, as an operator, that a log cannot go on: its store is lost, or a back-up of it is shorter than what witnesses
cosigned, or its old witnesses are out of reach. Prints the log's settings of the next epoch, for the configuration.
In that epoch every principal begins at the highest label. The statement is measured, and verifiers show it.

  --origin ORIGIN    the log that is lost, such as gateway.example/0
  --key FILE         an operator's Ed25519 private key (cmcp key new); its public key is in enclave.operator_keys
  --reason TEXT      why; each hand-over of the epoch has it
  --checkpoint FILE  the newest checkpoint of that log that somebody kept: the statement has its size and root.
                     Without it they are unknown

Exit codes: 0 signed, 64 usage.
Example:    cmcp log lost --origin gateway.example/0 --key operator.pem --reason "disk lost" --checkpoint kept
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const lost = required(values.origin, "--origin");
    const key = await readOperatorKey(required(values.key, "--key"));
    const parsed = lostStoreStatementSchema.safeParse({
      v: 1,
      purpose: "lost-store",
      origin: lost,
      last: values.checkpoint === undefined ? "unknown" : await headOf(values.checkpoint, lost),
      reason: required(values.reason, "--reason"),
    });
    if (!parsed.success)
      throw new CmcpError("USAGE", `the statement is not valid: ${schemaProblem(parsed.error).text}`);
    const origin = nextEpoch(lost);
    if (origin === null) throw new CmcpError("USAGE", `${lost} has no next epoch`);
    const signed: SignedLostStore = {
      statement: parsed.data,
      key: key.publicKey,
      signature: toBase64Url(key.sign(operatorSigningInput(parsed.data))),
    };
    // JSON is YAML.
    out.write(
      values.json
        ? `${JSON.stringify({ ok: true, origin, lost_store: signed })}\n`
        : `log:\n  origin: ${origin}\n  lost_store: ${JSON.stringify(signed)}\n`,
    );
    return EXIT.ok;
  },
};

/** What a checkpoint says. Nobody verifies it here: the operator signs it. @throws CmcpError `USAGE` */
async function headOf(path: string, of: string): Promise<{ readonly size: number; readonly root: string }> {
  const bytes = await readSmallFile(path);
  try {
    const { origin, size, root } = parseCheckpoint(parseNote(new TextDecoder().decode(bytes)).text);
    if (origin === of) return { size, root: toHex(root) };
  } catch (thrown) {
    const { message } = asCmcpError(thrown, "NOTE_MALFORMED", "unreadable");
    throw new CmcpError("USAGE", `${path}: ${message}`, { cause: thrown });
  }
  throw new CmcpError("USAGE", `${path}: a checkpoint of another log than ${of}`);
}
