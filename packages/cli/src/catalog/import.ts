import { CmcpError } from "@cmcp/boundary";
import { catalogHash, loadCatalog, scanCatalog, visibleText, type Finding } from "@cmcp/catalog";
import { Vocabulary } from "@cmcp/session";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command, type Terminal } from "../command.ts";
import { reviewedEntry, type ReviewedEntry } from "./entries.ts";
import { readLiveServer, serverUrl, type LiveServer, type LiveTool } from "./live-server.ts";
import { mergeEntries } from "./merge.ts";
import { asciiJson, findingJson, findingLine, hasGrave } from "./print-findings.ts";
import { readReviews } from "./review.ts";
import { catalogToExtend, writeCatalog } from "./write-catalog.ts";

const OPTIONS = {
  "approved-by": { type: "string" },
  domain: { type: "string" },
  sensitivity: { type: "string" },
  baa: { type: "boolean", default: false },
  set: { type: "string", multiple: true, default: [] as string[] },
  tool: { type: "string", multiple: true, default: [] as string[] },
  label: { type: "string", multiple: true, default: [] as string[] },
  "display-name": { type: "string" },
  pin: { type: "string" },
  into: { type: "string" },
  replace: { type: "string", multiple: true, default: [] as string[] },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp catalog import` */
export const catalogImport: Command = {
  help: `Usage: cmcp catalog import URL --approved-by EMAIL --domain DOMAIN --sensitivity LABEL [options]

Reads the tools a live server lists over streamable HTTP, from this machine directly, shows each with what the
scanner says of it, and writes them as approved catalog entries. Read what it shows: approving is yours.
A high finding writes nothing; leave the tool out with --tool.

  --approved-by EMAIL       who approves; required
  --domain DOMAIN           compliance domain of the tools        --sensitivity LABEL  their sensitivity
  --baa                     they need a business associate agreement
  --set TOOL:KEY=VALUE      for one tool: domain, sensitivity or baa=true|false; may be given again
  --tool TOOL               import only this tool; may be given again
  --label LABEL             a label of the deployment's own sensitivity vocabulary; may be given again
  --display-name NAME       the server's name for people; its host by default
  --pin SHA256:BASE64       an https server must have this key; without it an authority must vouch for the server
  --into FILE               merge into this catalog; without it the entries go to standard output
  --replace TOOL            take this tool's new definition or key over the approved one; may be given again
  --json                    one line: ok, server, fingerprint, added, replaced, unchanged, hash, findings, entries

Exit codes: 0 written, 10 refused, 64 usage.
Example:    cmcp catalog import http://127.0.0.1:3001/mcp --approved-by you@example.com --domain public --sensitivity public --tool echo
`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, OPTIONS);
    if (positionals.length > 1) throw new CmcpError("USAGE", "one URL at a time");
    const url = serverUrl(required(positionals[0], "URL"));
    const approvedBy = required(values["approved-by"], "--approved-by");
    if (!/^[^\s@]+@[^\s@]+$/.test(approvedBy)) throw new CmcpError("USAGE", "--approved-by is an e-mail address");
    const existing = await catalogToExtend(values.into);
    const server = await readLiveServer(url, values.pin);
    const chosen = choose(server, values.tool);
    const names = new Set(chosen.map(({ name }) => name));
    for (const name of values.replace) if (!names.has(name)) throw new CmcpError("USAGE", `--replace ${name}: the tool is not imported`);
    const reviewOf = readReviews({ domain: values.domain, sensitivity: values.sensitivity, requiresBaa: values.baa }, values.set, names);
    const facts = { displayName: values["display-name"] ?? url.host, approvedBy, addedAt: new Date() };
    const reviewed = chosen.map((tool) => reviewedEntry(server, tool, facts, reviewOf(tool.name)));

    const { catalog, ...merged } = mergeEntries(existing, reviewed, new Set(values.replace));
    const findings = scanCatalog(catalog).filter(({ tool }) => names.has(tool));
    if (!values.json) show(server, reviewed, findings, terminal);
    if (hasGrave(findings)) {
      if (values.json) terminal.out.write(`${asciiJson({ ok: false, server: url.href, fingerprint: server.fingerprint, findings: findings.map(findingJson) })}\n`);
      else terminal.err.write("high findings: nothing was written\n");
      return EXIT.rejected;
    }
    const entries = reviewed.map(({ entry }) => entry);
    // Held to the loader itself, so that what is written loads.
    loadCatalog(catalog, { developmentMode: true, vocabulary: new Vocabulary(Object.fromEntries(values.label.map((label) => [label, 0]))) });
    if (values.into !== undefined) await writeCatalog(values.into, catalog);
    const result = { ...merged, hash: catalogHash(catalog) };
    if (values.json) terminal.out.write(`${asciiJson({ ok: true, server: url.href, fingerprint: server.fingerprint, ...result, findings: findings.map(findingJson), entries })}\n`);
    else if (values.into === undefined) terminal.out.write(`${JSON.stringify(entries, null, 2)}\n`);
    else terminal.out.write(`${values.into}: ${result.added.length} added, ${result.replaced.length} replaced, ${result.unchanged.length} unchanged\n  catalog hash: ${result.hash}\n`);
    return EXIT.ok;
  },
};

function choose({ tools }: LiveServer, wanted: readonly string[]): readonly LiveTool[] {
  for (const name of wanted) if (!tools.some((tool) => tool.name === name)) throw new CmcpError("USAGE", `--tool ${name}: the server does not list it`);
  return wanted.length === 0 ? tools : tools.filter(({ name }) => wanted.includes(name));
}

function show({ url, fingerprint }: LiveServer, entries: readonly ReviewedEntry[], findings: readonly Finding[], terminal: Terminal): void {
  terminal.err.write(`${url.href}\n  key: ${fingerprint ?? "none: plain http, nothing proves who answered"}\n\n`);
  for (const { name, entry } of entries) {
    terminal.err.write(`${visibleText(name)}\n  ${visibleText(JSON.stringify(entry.approved_definition))}\n  ${JSON.stringify(entry.definition_hash)}\n`);
    const own = findings.filter(({ tool }) => tool === name);
    terminal.err.write(own.length === 0 ? "  scan: nothing found\n\n" : `${own.map((finding) => `  ${findingLine(finding, terminal)}\n`).join("")}\n`);
  }
}
