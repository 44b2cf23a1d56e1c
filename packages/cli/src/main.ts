import process from "node:process";
import { asCmcpError, CmcpError } from "@cmcp/boundary";
import type { Command, Terminal } from "./command.ts";
import { EXIT } from "./command.ts";
import { reportError } from "./report-error.ts";

interface Entry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Each command is loaded only when it is asked for: the process of `start` must not contain anything that decides. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  start: { summary: "start the gateway: host proxy and enclave", load: async () => (await import("./start/start.ts")).start },
  "validate-config": { summary: "check a configuration and what it points to", load: async () => (await import("./check/validate-config.ts")).validateConfig },
  "validate-bundle": { summary: "check a policy bundle and, if given, its hash", load: async () => (await import("./check/validate-bundle.ts")).validateBundle },
  verify: { summary: "verify a claim offline, with its audit bundle and receipts", load: async () => (await import("./verify/verify.ts")).verify },
  "audit verify": { summary: "verify an audit bundle by itself", load: async () => (await import("./audit/audit-verify.ts")).auditVerify },
  "session close": { summary: "end a session and keep its claim", load: async () => (await import("./session/session-close.ts")).sessionClose },
  "session reset": { summary: "lower a session's sensitivity, signed by an operator", load: async () => (await import("./session/session-reset.ts")).sessionReset },
  "token new": { summary: "make a bearer token and its line for the token file", load: async () => (await import("./token/token-new.ts")).tokenNew },
  "key new": { summary: "make an operator's key pair", load: async () => (await import("./key/key-new.ts")).keyNew },
  "policy hash": { summary: "print the hash of a policy bundle", load: async () => (await import("./check/policy-hash.ts")).policyHash },
  "policy sign": { summary: "sign a policy bundle", load: async () => (await import("./policy/policy-sign.ts")).policySign },
  "policy schema": { summary: "write the schema that a bundle's rules need", load: async () => (await import("./policy/policy-schema.ts")).policySchema },
  "policy lint": { summary: "find rules that do not do what they seem to", load: async () => (await import("./policy/policy-lint.ts")).policyLint },
  "policy test": { summary: "say how a policy decides a saved call", load: async () => (await import("./policy/policy-test.ts")).policyTest },
  "catalog hash": { summary: "print the hash of a catalog", load: async () => (await import("./check/catalog-hash.ts")).catalogHashCommand },
  "catalog scan": { summary: "look for hidden instructions, invisible characters and look-alike names", load: async () => (await import("./catalog/scan.ts")).catalogScan },
  "catalog import": { summary: "read a live server's tools into reviewed catalog entries", load: async () => (await import("./catalog/import.ts")).catalogImport },
  "evidence verify": { summary: "verify hardware evidence offline", load: async () => (await import("./evidence/evidence-verify.ts")).evidenceVerify },
  "evidence show": { summary: "print a report, quote, certificate or event log readably", load: async () => (await import("./evidence/evidence-show.ts")).evidenceShow },
  "evidence fetch": { summary: "get a vendor's certificates and collateral for evidence", load: async () => (await import("./evidence/evidence-fetch.ts")).evidenceFetch },
  "measure sev-snp": { summary: "compute a SEV-SNP launch digest from files", load: async () => (await import("./measure/sev-snp.ts")).measureSevSnp },
  "measure id-block": { summary: "make a SEV-SNP guest's signed ID block", load: async () => (await import("./measure/id-block.ts")).measureIdBlock },
  "measure tdx": { summary: "compute MRTD and RTMRs from files", load: async () => (await import("./measure/tdx.ts")).measureTdx },
  "measure stdio": { summary: "compute the digest of a stdio server's files", load: async () => (await import("./measure/stdio.ts")).measureStdio },
  "measure tpm": { summary: "compute the PCRs of a virtual TPM from files", load: async () => (await import("./measure/tpm.ts")).measureTpm },
};

function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  cmcp ${name.padEnd(width)}  ${summary}`);
  return `cmcp: a confidential MCP gateway\n\n${rows.join("\n")}\n\nEach command explains itself with --help. Example: cmcp start --config examples/quickstart/cmcp-config.yaml\n`;
}

async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  const [first = "", second = ""] = args;
  if (first === "" || first === "--help" || first === "-h" || first === "help") {
    terminal.out.write(overview());
    return first === "" ? EXIT.usage : EXIT.ok;
  }
  const name = COMMANDS[`${first} ${second}`] === undefined ? first : `${first} ${second}`;
  const entry = COMMANDS[name];
  const rest = args.slice(name.split(" ").length);
  const asJson = rest.includes("--json");
  try {
    if (entry === undefined) throw new CmcpError("USAGE", `there is no command ${JSON.stringify(first)}; cmcp --help lists them`);
    const command = await entry.load();
    if (rest.includes("--help") || rest.includes("-h")) {
      terminal.out.write(command.help);
      return EXIT.ok;
    }
    return await command.run(rest, terminal);
  } catch (thrown) {
    return reportError(asCmcpError(thrown, "INTERNAL", `the command failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`), asJson, terminal);
  }
}

// A reader that closed the pipe, such as `head`, has what it wanted.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

const colour = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
process.exitCode = await main(process.argv.slice(2), { out: process.stdout, err: process.stderr, colour });
