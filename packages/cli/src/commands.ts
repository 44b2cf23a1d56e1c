import type { Command } from "./command.ts";

interface Entry {
  /** What it does, in one line. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Each command is loaded only when it is asked for: the process of `start` must not contain anything that decides. */
const COMMANDS: ReadonlyMap<string, Entry> = new Map(
  Object.entries({
    start: {
      summary: "start the gateway: host proxy and enclave",
      load: async () => (await import("./start/start.ts")).start,
    },
    "validate-config": {
      summary: "check a configuration and what it points to",
      load: async () => (await import("./check/validate-config.ts")).validateConfig,
    },
    "validate-bundle": {
      summary: "check a policy bundle and, if given, its hash",
      load: async () => (await import("./check/validate-bundle.ts")).validateBundle,
    },
    verify: {
      summary: "verify a claim offline, with its audit bundle and receipts",
      load: async () => (await import("./verify/verify.ts")).verify,
    },
    "audit verify": {
      summary: "verify an audit bundle by itself",
      load: async () => (await import("./audit/audit-verify.ts")).auditVerify,
    },
    "log export": {
      summary: "write the gateway's log to files that auditors and other tools read",
      load: async () => (await import("./log/log-export.ts")).logExport,
    },
    "log verify": {
      summary: "verify an exported log by itself, offline",
      load: async () => (await import("./log/log-verify.ts")).logVerify,
    },
    "log fsck": {
      summary: "check the gateway's audit store in place",
      load: async () => (await import("./log/log-fsck.ts")).logFsck,
    },
    "session close": {
      summary: "end a session and keep its claim",
      load: async () => (await import("./session/session-close.ts")).sessionClose,
    },
    "session reset": {
      summary: "lower a session's sensitivity, signed by an operator",
      load: async () => (await import("./session/session-reset.ts")).sessionReset,
    },
    "kill-switch trip": {
      summary: "stop a principal at once, signed by an operator",
      load: async () => (await import("./kill-switch/operate.ts")).killSwitchTrip,
    },
    "kill-switch unblock": {
      summary: "let a principal that was stopped go on, signed by an operator",
      load: async () => (await import("./kill-switch/operate.ts")).killSwitchUnblock,
    },
    "token new": {
      summary: "make a bearer token and its line for the token file",
      load: async () => (await import("./token/token-new.ts")).tokenNew,
    },
    "key new": { summary: "make an operator's key pair", load: async () => (await import("./key/key-new.ts")).keyNew },
    "policy hash": {
      summary: "print the hash of a policy bundle",
      load: async () => (await import("./check/policy-hash.ts")).policyHash,
    },
    "policy sign": {
      summary: "sign a policy bundle",
      load: async () => (await import("./policy/policy-sign.ts")).policySign,
    },
    "policy succeed-key": {
      summary: "let another key sign the policies of a running gateway",
      load: async () => (await import("./policy/policy-keys.ts")).policySucceedKey,
    },
    "policy revoke-key": {
      summary: "revoke a policy signing key of a running gateway",
      load: async () => (await import("./policy/policy-keys.ts")).policyRevokeKey,
    },
    "policy schema": {
      summary: "write the schema that a bundle's rules need",
      load: async () => (await import("./policy/policy-schema.ts")).policySchema,
    },
    "policy lint": {
      summary: "find rules that do not do what they seem to",
      load: async () => (await import("./policy/policy-lint.ts")).policyLint,
    },
    "policy test": {
      summary: "say how a policy decides a saved call",
      load: async () => (await import("./policy/policy-test.ts")).policyTest,
    },
    "policy explain": {
      summary: "say why a recorded call was decided so",
      load: async () => (await import("./policy/policy-explain.ts")).policyExplain,
    },
    "catalog hash": {
      summary: "print the hash of a catalog",
      load: async () => (await import("./check/catalog-hash.ts")).catalogHashCommand,
    },
    "catalog scan": {
      summary: "look for hidden instructions, invisible characters and look-alike names",
      load: async () => (await import("./catalog/scan.ts")).catalogScan,
    },
    "catalog import": {
      summary: "read a live server's tools into reviewed catalog entries",
      load: async () => (await import("./catalog/import.ts")).catalogImport,
    },
    "evidence verify": {
      summary: "verify hardware evidence offline",
      load: async () => (await import("./evidence/evidence-verify.ts")).evidenceVerify,
    },
    "evidence show": {
      summary: "print a report, quote, certificate or event log readably",
      load: async () => (await import("./evidence/evidence-show.ts")).evidenceShow,
    },
    "evidence fetch": {
      summary: "get a vendor's certificates and collateral for evidence",
      load: async () => (await import("./evidence/evidence-fetch.ts")).evidenceFetch,
    },
    "measure sev-snp": {
      summary: "compute a SEV-SNP launch digest from files",
      load: async () => (await import("./measure/sev-snp.ts")).measureSevSnp,
    },
    "measure id-block": {
      summary: "make a SEV-SNP guest's signed ID block",
      load: async () => (await import("./measure/id-block.ts")).measureIdBlock,
    },
    "measure tdx": {
      summary: "compute MRTD and RTMRs from files",
      load: async () => (await import("./measure/tdx.ts")).measureTdx,
    },
    "measure stdio": {
      summary: "compute the digest of a stdio server's files",
      load: async () => (await import("./measure/stdio.ts")).measureStdio,
    },
    "measure tpm": {
      summary: "compute the PCRs of a virtual TPM from files",
      load: async () => (await import("./measure/tpm.ts")).measureTpm,
    },
  }),
);

/** What the first words of a command line name. */
export type CommandLookup =
  | { readonly is: "command"; readonly load: Entry["load"]; readonly rest: readonly string[] }
  /** The first word of several commands. */
  | { readonly is: "group"; readonly group: string; readonly rest: readonly string[] }
  | { readonly is: "nothing" };

/**
 * Finds the command or group that the first words name. A word such as `constructor`, which every object has, names
 * nothing.
 */
export function commandOf(args: readonly string[]): CommandLookup {
  const [first = ""] = args;
  for (const words of [2, 1]) {
    const entry = COMMANDS.get(args.slice(0, words).join(" "));
    if (entry !== undefined) return { is: "command", load: entry.load, rest: args.slice(words) };
  }
  return namesIn(first).length > 0 ? { is: "group", group: first, rest: args.slice(1) } : { is: "nothing" };
}

/** The name of every command, as its words are typed. */
export function commandNames(): readonly string[] {
  return [...COMMANDS.keys()];
}

function namesIn(group: string): readonly string[] {
  return [...COMMANDS.keys()].filter((name) => name.startsWith(`${group} `));
}

function list(names: readonly string[]): string {
  const width = Math.max(...names.map((name) => name.length));
  return names.map((name) => `  cmcp ${name.padEnd(width)}  ${COMMANDS.get(name)?.summary ?? ""}\n`).join("");
}

/** Every command with what it does. */
export function overview(): string {
  return `cmcp: a confidential MCP gateway\n\n${list([...COMMANDS.keys()])}\nEach command explains itself with --help. Example: cmcp start --config examples/quickstart/cmcp-config.yaml\n`;
}

/** The commands of a group with what they do. */
export function groupOverview(group: string): string {
  const names = namesIn(group);
  return `Usage: cmcp ${group} COMMAND\n\n${list(names)}\nEach command explains itself with --help. Example: cmcp ${names[0] ?? group} --help\n`;
}
