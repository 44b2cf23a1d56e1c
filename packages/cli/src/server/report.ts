import { relative } from "node:path";
import { visibleText } from "@cmcp/catalog";
import { asciiJson, findingJson, findingLine } from "../catalog/print-findings.ts";
import type { Terminal } from "../command.ts";
import type { ApprovedTools } from "./approved-tools.ts";
import type { AddOptions } from "./options.ts";
import type { ReadServer } from "./read-server.ts";

/** A server that was added. */
export interface AddedServer {
  readonly options: AddOptions;
  readonly server: ReadServer;
  readonly tools: ApprovedTools;
  readonly reads: ReadonlySet<string>;
  readonly notes: readonly string[];
  readonly deployment: string;
}

const list = (names: readonly string[]): string => visibleText(names.join(", ")) || "nothing";

/** The lines of a report that say how tools were approved, for people. */
export function toolLines(
  { names, saidToRead, closed, renamed, leftOut, findings }: ApprovedTools,
  reads: ReadonlySet<string>,
  terminal: Terminal,
): string {
  const hinted = saidToRead.filter((name) => !reads.has(name));
  return [
    `permitted:      ${list(names.filter((name) => reads.has(name)))}`,
    `need a person:  ${list(names.filter((name) => !reads.has(name)))}`,
    ...(hinted.length === 0
      ? []
      : [`the server says that these only read; --read permits one, --read-hints all: ${list(hinted)}`]),
    ...(closed.length === 0
      ? []
      : [
          `${closed.length} input schemas left undeclared arguments open and were closed (input_schema in the catalog)`,
        ]),
    ...renamed.map(({ name, at_server: own }) => `renamed: agents know ${visibleText(own)} as ${visibleText(name)}`),
    ...leftOut.map(({ name, why }) => `left out: ${visibleText(name)}: ${visibleText(why)}`),
    ...findings.map((finding) => findingLine(finding, terminal)),
  ]
    .map((line) => `  ${line}\n`)
    .join("");
}

/** Says that the scanner found what keeps the tools out. */
export function reportRefused({ findings }: ApprovedTools, json: boolean, terminal: Terminal): void {
  if (json) terminal.out.write(`${asciiJson({ ok: false, findings: findings.map(findingJson) })}\n`);
  else {
    const lines = findings.map((finding) => `  ${findingLine(finding, terminal)}\n`).join("");
    terminal.err.write(`${lines}high findings: nothing was written\n`);
  }
}

/** The facts of a report that programs read. */
function facts({ options, server, tools, reads, notes }: AddedServer): object {
  const { names, saidToRead, closed, renamed, leftOut, findings } = tools;
  return {
    ok: true,
    server: options.name,
    packages: server.tree?.packages ?? [],
    tree: server.tree?.start.tree ?? null,
    lock_file: server.tree?.lockFile ?? null,
    confinement: server.confinement,
    reads: names.filter((name) => reads.has(name)),
    others: names.filter((name) => !reads.has(name)),
    said_to_read: saidToRead,
    closed,
    renamed,
    left_out: leftOut,
    notes: [...(server.tree?.notes ?? []), ...notes],
    findings: findings.map(findingJson),
  };
}

/** The definitions that were approved, each with its hash, for the person who answers for them. */
function definitions({ entries }: ApprovedTools): string {
  return entries
    .map(
      ({ name, entry }) =>
        `${visibleText(name)}\n  ${visibleText(JSON.stringify(entry["approved_definition"]))}\n  ${JSON.stringify(entry["definition_hash"])}\n`,
    )
    .join("");
}

/** Says what was added, and what is to be reviewed. */
export function reportAdded(added: AddedServer, json: boolean, terminal: Terminal): void {
  if (json) {
    terminal.out.write(`${asciiJson(facts(added))}\n`);
    return;
  }
  const { options, server, tools, reads, notes, deployment } = added;
  const { tree, confinement } = server;
  const [own] = tree?.packages ?? [];
  terminal.err.write(`${definitions(tools)}\n`);
  const pinned =
    own === undefined
      ? ""
      : `  package:        ${own.name} ${own.version} and ${(tree?.packages.length ?? 1) - 1} others, pinned in ` +
        `${relative(deployment, tree?.lockFile ?? "")}\n`;
  const files = tree === null ? "" : `  files:          ${tree.start.tree}\n`;
  const ran =
    confinement === "none" ? "  it ran unconfined, as you, to list its tools: this machine confines nothing\n" : "";
  const sent =
    options.credential === undefined
      ? ""
      : `  the gateway sends it the credential ${options.credential}: add its line to enclave.credentials_file, or provision it\n`;
  const started = Object.entries(options.secrets)
    .map(
      ([variable, name]) =>
        `  ${variable} has the credential ${name}: add its line to enclave.credentials_file, or provision it\n`,
    )
    .join("");
  const reaches =
    options.egress.length === 0
      ? ""
      : `  its tools may reach ${options.values.egress.join(", ")} from any session: narrow that rule by labels\n`;
  const said = [...(tree?.notes ?? []), ...notes].map((note) => `  ${visibleText(note)}\n`).join("");
  terminal.out.write(
    `added ${options.name}\n${pinned}${files}${toolLines(tools, reads, terminal)}${ran}${sent}${started}${reaches}${said}` +
      "\nreview the catalog and the rules, then restart the gateway: both are measured\n",
  );
}
