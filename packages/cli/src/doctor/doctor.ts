import { asCmcpError, type CmcpError } from "@cmcp/boundary";
import { readArguments } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { examineMachine, type MachineFinding } from "./findings.ts";
import { requireStartHere } from "./start-here.ts";

const OPTIONS = { config: { type: "string" }, json: { type: "boolean", default: false } } as const;

/** `cmcp doctor` */
export const doctor: Command = {
  help: `Usage: cmcp doctor [--config FILE] [--json]

Says what this machine has of all that some way of running cMCP needs, what needs it, and how to get what is
missing. No deployment needs everything. With a configuration it also says whether cmcp start could run it here:
with its launcher, its attestation provider and its stdio servers. It changes nothing.

  --config FILE  a configuration that is to start on this machine, with the environment that it would start in
  --json         one line: ok, findings, and with --config start: ok, or the error that a start would end with

Exit codes: 0 shown, and the configuration can start here, 10 it cannot, 64 usage.
Example:    CMCP_DEV_MODE=1 cmcp doctor --config examples/quickstart/cmcp-config.yaml
`,
  async run(args, { out }) {
    const { values } = readArguments(args, OPTIONS);
    const findings = await examineMachine();
    const refusal = values.config === undefined ? null : await refusalOf(values.config);
    if (values.json) {
      const list = findings.map(({ neededFor, ...finding }) => ({ ...finding, needed_for: neededFor }));
      const start = values.config === undefined ? {} : { start: startJson(refusal) };
      out.write(`${JSON.stringify({ ok: refusal === null, findings: list, ...start })}\n`);
    } else {
      out.write(findings.map(lines).join(""));
      if (refusal !== null)
        out.write(`\n${values.config} cannot start here\n  ${refusal.code}: ${refusal.message}\n  ${refusal.action}\n`);
      else if (values.config !== undefined) out.write(`\n${values.config} can start here\n`);
    }
    return refusal === null ? EXIT.ok : EXIT.rejected;
  },
};

async function refusalOf(config: string): Promise<CmcpError | null> {
  try {
    await requireStartHere(config);
    return null;
  } catch (thrown) {
    return asCmcpError(thrown, "INTERNAL", "it could not be found out whether the configuration can start here");
  }
}

function startJson(refusal: CmcpError | null): object {
  return refusal === null
    ? { ok: true }
    : { ok: false, error: { code: refusal.code, message: refusal.message, action: refusal.action } };
}

function lines({ what, found, detail, neededFor, advice }: MachineFinding): string {
  const state = `${found ? "yes" : "no "}  ${what.padEnd(28)} ${detail}\n       for ${neededFor}\n`;
  return found ? state : `${state}       to have it: ${advice}\n`;
}
