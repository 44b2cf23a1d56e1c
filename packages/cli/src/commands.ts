import type { Command } from "./command.ts";
import type { CommandTable } from "./completion/words.ts";

interface Entry {
  /** What it does, in one line. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Each command is loaded only when it is asked for: the process of `start` must not contain anything that decides. */
const COMMANDS: ReadonlyMap<string, Entry> = new Map(
  Object.entries({
    init: {
      summary: "write a deployment that starts, in front of a server of yours",
      load: async () => (await import("./init/init.ts")).init,
    },
    "server add": {
      summary: "put a published server behind the gateway: pinned, measured, approved",
      load: async () => (await import("./server/server-add.ts")).serverAdd,
    },
    start: {
      summary: "start the gateway: host proxy and enclave",
      load: async () => (await import("./start/start.ts")).start,
    },
    doctor: {
      summary: "say what this machine can run, and what is missing",
      load: async () => (await import("./doctor/doctor.ts")).doctor,
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
    "audit disclose": {
      summary: "open one recorded call with an auditor's key, to hand it on",
      load: async () => (await import("./audit/audit-disclose.ts")).auditDisclose,
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
    "log erase-keys": {
      summary: "erase sessions' keys for auditors from an audit store, as the log records",
      load: async () => (await import("./log/log-erase-keys.ts")).logEraseKeys,
    },
    "log lost": {
      summary: "sign that a log's store is lost, which opens the next epoch",
      load: async () => (await import("./log/log-lost.ts")).logLost,
    },
    "session close": {
      summary: "end a session and keep its claim",
      load: async () => (await import("./session/session-close.ts")).sessionClose,
    },
    "session reset": {
      summary: "lower a session's sensitivity, signed by an operator",
      load: async () => (await import("./session/session-reset.ts")).sessionReset,
    },
    "session erase-key": {
      summary: "record that a session's key for auditors is erased, signed by an operator",
      load: async () => (await import("./session/session-erase-key.ts")).sessionEraseKey,
    },
    "kill-switch trip": {
      summary: "stop a principal at once, signed by an operator",
      load: async () => (await import("./kill-switch/operate.ts")).killSwitchTrip,
    },
    "kill-switch unblock": {
      summary: "let a principal that was stopped go on, signed by an operator",
      load: async () => (await import("./kill-switch/operate.ts")).killSwitchUnblock,
    },
    "manifest revocations": {
      summary: "sign the list of revoked agent manifests, and give it to a gateway",
      load: async () => (await import("./manifest/revocations.ts")).manifestRevocations,
    },
    "token new": {
      summary: "make a bearer token and its line for the token file",
      load: async () => (await import("./token/token-new.ts")).tokenNew,
    },
    "key new": {
      summary: "make the key pair of an operator or an auditor",
      load: async () => (await import("./key/key-new.ts")).keyNew,
    },
    "policy new": {
      summary: "write a policy bundle to begin with, for a catalog",
      load: async () => (await import("./policy/policy-new.ts")).policyNew,
    },
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
    "catalog diff": {
      summary: "say what changed from one catalog to another",
      load: async () => (await import("./catalog/diff.ts")).catalogDiff,
    },
    "catalog approve": {
      summary: "sign a catalog that takes the place of another",
      load: async () => (await import("./catalog/approve.ts")).catalogApprove,
    },
    "catalog status": {
      summary: "say which approvals a catalog has, and what a gateway has in force",
      load: async () => (await import("./catalog/status.ts")).catalogStatus,
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
    connect: {
      summary: "verify a gateway's enclave and serve a local endpoint that seals to it",
      load: async () => (await import("./connect/connect.ts")).connect,
    },
    provision: {
      summary: "give a verified enclave tokens and credentials, signed and sealed",
      load: async () => (await import("./provision/provision.ts")).provision,
    },
    "approvals list": {
      summary: "list the calls that wait for an approver",
      load: async () => (await import("./approvals/approvals-list.ts")).approvalsList,
    },
    "approvals show": {
      summary: "show one call that waits, in full",
      load: async () => (await import("./approvals/approvals-show.ts")).approvalsShow,
    },
    "approvals approve": {
      summary: "approve one call that was shown",
      load: async () => (await import("./approvals/approvals-answer.ts")).approvalsApprove,
    },
    "approvals deny": {
      summary: "deny one call that waits",
      load: async () => (await import("./approvals/approvals-answer.ts")).approvalsDeny,
    },
    "approvals disclose": {
      summary: "permit one call in advance that lets data leave",
      load: async () => (await import("./approvals/approvals-disclose.ts")).approvalsDisclose,
    },
    "approvals serve": {
      summary: "serve a page on this machine, where an approver answers with a passkey",
      load: async () => (await import("./approvals/approvals-serve.ts")).approvalsServe,
    },
    "approvals register": {
      summary: "make an approver's passkey, and print its line for the configuration",
      load: async () => (await import("./approvals/approvals-register.ts")).approvalsRegister,
    },
    "instance verify": {
      summary: "verify a running instance's report offline, and print its keys",
      load: async () => (await import("./instance/instance-verify.ts")).instanceVerify,
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
    completion: {
      summary: "print a script that completes command lines in bash, zsh or fish",
      load: async () => (await import("./completion/completion.ts")).completionOf(commandTable()),
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

/** Every command by its name, with its line of the overview and its help. */
export function commandTable(): CommandTable {
  return { names: commandNames(), summaryOf, helpOf: async (name) => (await COMMANDS.get(name)?.load())?.help ?? "" };
}

/** What a command does, in one line; empty for a name that is none. */
function summaryOf(name: string): string {
  return COMMANDS.get(name)?.summary ?? "";
}

function namesIn(group: string): readonly string[] {
  return [...COMMANDS.keys()].filter((name) => name.startsWith(`${group} `));
}

function list(names: readonly string[]): string {
  const width = Math.max(...names.map((name) => name.length));
  return names.map((name) => `  cmcp ${name.padEnd(width)}  ${summaryOf(name)}\n`).join("");
}

/** Every command with what it does. */
export function overview(): string {
  const commands = list([...COMMANDS.keys()]);
  return `cmcp: a confidential MCP gateway\n\n${commands}\ncmcp --version prints the version. ${explained("start --config examples/quickstart/cmcp-config.yaml")}`;
}

/** The commands of a group with what they do. */
export function groupOverview(group: string): string {
  const names = namesIn(group);
  return `Usage: cmcp ${group} COMMAND\n\n${list(names)}\n${explained(`${names[0] ?? group} --help`)}`;
}

function explained(example: string): string {
  return `Each command explains itself with --help. Example: cmcp ${example}\n`;
}
