import { existsSync } from "node:fs";
import { CmcpError, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { carriedDetectors } from "@cmcp/findings";
import { catalogHash, loadCatalog, scanCatalog, visibleText, type Finding } from "@cmcp/catalog";
import { readCatalogFile } from "@cmcp/launch/files";
import type { ListKind } from "@cmcp/mcp";
import { Vocabulary } from "@cmcp/session";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command, type Terminal } from "../command.ts";
import { replaceFile } from "../replace-file.ts";
import { selectEntries } from "./select-entries.ts";
import { candidatesOf, reviewedEntry, serverEntry, type ReviewedEntry } from "./entries.ts";
import { readLiveServer, serverUrl, type LiveServer } from "./live-server.ts";
import type { WantedTrust } from "./live-trust.ts";
import { knownServerName, mergeEntries } from "./merge.ts";
import { asciiJson, findingJson, findingLine, hasBlockingFinding } from "./print-findings.ts";
import { readReviews } from "./review.ts";

const OPTIONS = {
  "approved-by": { type: "string" },
  domain: { type: "string" },
  sensitivity: { type: "string" },
  baa: { type: "boolean", default: false },
  set: { type: "string", multiple: true, default: [] as string[] },
  tool: { type: "string", multiple: true, default: [] as string[] },
  "no-tools": { type: "boolean", default: false },
  resources: { type: "boolean", default: false },
  resource: { type: "string", multiple: true, default: [] as string[] },
  prompts: { type: "boolean", default: false },
  prompt: { type: "string", multiple: true, default: [] as string[] },
  "own-domain": { type: "string", multiple: true, default: [] as string[] },
  label: { type: "string", multiple: true, default: [] as string[] },
  "display-name": { type: "string" },
  "server-name": { type: "string" },
  trust: { type: "string" },
  pin: { type: "string" },
  "issuer-pin": { type: "string", multiple: true, default: [] as string[] },
  into: { type: "string" },
  replace: { type: "string", multiple: true, default: [] as string[] },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp catalog import` */
export const catalogImport: Command = {
  help: `Usage: cmcp catalog import URL --approved-by EMAIL --domain DOMAIN --sensitivity LABEL [options]

Reads the tools a live server lists over streamable HTTP, from this machine directly, and its resources and
prompts where asked to, shows each with what the scanner says of it, and writes them as approved catalog
entries. Read what it shows: approving is yours. A high finding writes nothing; leave the thing out by naming
the others. What the gateway could not serve is left out with its reason. Packages of npm and PyPI, MCP
bundles (.mcpb) and entries of a registry are for cmcp server add.

  --approved-by EMAIL       who approves; required
  --domain DOMAIN           compliance domain of all              --sensitivity LABEL  their sensitivity
  --baa                     they need a business associate agreement
  --set NAME:KEY=VALUE      for one: domain, sensitivity or baa=true|false; may be given again
  --tool TOOL               of the tools only this one; may be given again
  --no-tools                no tools
  --resources               all resources and resource templates
  --resource URI            this resource or template; may be given again
  --prompts                 all prompts
  --prompt PROMPT           this prompt; may be given again
  --own-domain DOMAIN       a compliance domain of the deployment's own; may be given again
  --label LABEL             a label of the deployment's own sensitivity vocabulary; may be given again
  --display-name NAME       the server's name for people; its host by default
  --server-name NAME        its name in the catalog and in policies, where resources and prompts refer to it
  --trust pinned|webpki     how an https server is known: by its key, which is the default and goes into the catalog, or
                            by the authorities of the web, so that it may renew its key
  --pin SHA256:BASE64       it must have this key; without it an authority must vouch for the server
  --issuer-pin SHA256:BASE64  with webpki: this key of an authority must be above it; may be given again
  --into FILE               merge into this catalog; without it the entries go to standard output
  --replace NAME            take its new definition or key over the approved one; may be given again
  --json                    one line: ok, server, fingerprint, added, replaced, unchanged, left_out, hash, findings, entries

Exit codes: 0 written, 10 refused, 64 usage.
Example:    cmcp catalog import http://127.0.0.1:3001/mcp --approved-by you@example.com --domain public --sensitivity public --tool echo
`,
  async run(args, terminal) {
    const { values, positional } = readArguments(args, OPTIONS, "URL");
    const url = serverUrl(required(positional, "URL"));
    const approvedBy = required(values["approved-by"], "--approved-by");
    if (!/^[^\s@]+@[^\s@]+$/.test(approvedBy)) throw new CmcpError("USAGE", "--approved-by is an e-mail address");
    const existing = await catalogToExtend(values.into);
    const server = await readLiveServer(url, trustOf(values), kindsOf(values));
    const { chosen, leftOut } = selectEntries(server, candidatesOf(server), {
      entries: values.tool,
      resources: values.resource,
      prompts: values.prompt,
    });
    const names = new Set(chosen.map(({ name }) => name));
    for (const name of values.replace)
      if (!names.has(name)) throw new CmcpError("USAGE", `--replace ${name}: it is not among the imported entries`);
    const reviewOf = readReviews(
      { domain: values.domain, sensitivity: values.sensitivity, requiresBaa: values.baa },
      values.set,
      names,
    );
    const serverName = values["server-name"] ?? knownServerName(existing, url) ?? nameOfHost(url);
    const facts = { displayName: values["display-name"] ?? url.host, serverName, approvedBy, addedAt: new Date() };
    const reviewed = chosen.map((candidate) => reviewedEntry(server, candidate, facts, reviewOf(candidate.name)));

    const { catalog, ...merged } = mergeEntries(
      existing,
      reviewed,
      serverEntry(server, facts),
      new Set(values.replace),
    );
    const findings = scanCatalog(catalog, await carriedDetectors()).filter(({ tool }) => names.has(tool));
    if (!values.json) show(server, { entries: reviewed, leftOut, findings }, terminal);
    if (hasBlockingFinding(findings)) {
      if (values.json)
        terminal.out.write(
          `${asciiJson({ ok: false, server: url.href, fingerprint: server.fingerprint, findings: findings.map(findingJson) })}\n`,
        );
      else terminal.err.write("high findings: nothing was written\n");
      return EXIT.rejected;
    }
    // Held to the loader itself, so that what is written loads.
    loadCatalog(catalog, {
      developmentMode: true,
      vocabulary: vocabularyWith(values.label, values["own-domain"]),
    });
    if (values.into !== undefined) await replaceFile(values.into, `${JSON.stringify(catalog, null, 2)}\n`);
    const entries = bySection(reviewed);
    const result = { ...merged, left_out: leftOut, hash: catalogHash(catalog) };
    if (values.json)
      terminal.out.write(
        `${asciiJson({ ok: true, server: url.href, fingerprint: server.fingerprint, ...result, findings: findings.map(findingJson), ...entries })}\n`,
      );
    else if (values.into === undefined)
      terminal.out.write(
        `${JSON.stringify(Object.keys(entries).length === 1 ? entries["entries"] : { ...entries, servers: [serverEntry(server, facts)] }, null, 2)}\n`,
      );
    else
      terminal.out.write(
        `${values.into}: ${result.added.length} added, ${result.replaced.length} replaced, ${result.unchanged.length} unchanged${leftOut.length === 0 ? "" : `, ${leftOut.length} left out`}\n  catalog hash: ${result.hash}\n`,
      );
    return EXIT.ok;
  },
};

/** A server's name where nobody gave one: its host, as far as a name can have it. */
function nameOfHost({ host }: URL): string {
  return host.replaceAll(/[^A-Za-z0-9.-]+/g, "-").replace(/^-+/, "");
}

/** How the server is to be known. */
function trustOf(values: {
  readonly trust?: string;
  readonly pin?: string;
  readonly "issuer-pin": readonly string[];
}): WantedTrust {
  return { trust: values.trust, pin: values.pin, issuerPins: values["issuer-pin"] };
}

/** What is read of the server. */
function kindsOf(values: {
  readonly "no-tools": boolean;
  readonly tool: readonly string[];
  readonly resources: boolean;
  readonly resource: readonly string[];
  readonly prompts: boolean;
  readonly prompt: readonly string[];
}): readonly ListKind[] {
  if (values["no-tools"] && values.tool.length > 0)
    throw new CmcpError("USAGE", "--no-tools and --tool exclude one another");
  return [
    ...(values["no-tools"] ? [] : (["tools"] as const)),
    ...(values.resources || values.resource.length > 0 ? (["resources", "templates"] as const) : []),
    ...(values.prompts || values.prompt.length > 0 ? (["prompts"] as const) : []),
  ];
}

/** Reviewed entries by the section they go to; `entries` is always there. */
function bySection(reviewed: readonly ReviewedEntry[]): Record<string, readonly JsonObject[]> {
  const groups = Map.groupBy(reviewed, ({ section }) => section);
  return {
    entries: [],
    ...Object.fromEntries(Array.from(groups, ([section, list]) => [section, list.map(({ entry }) => entry)])),
  };
}

/** What a person reads before anything is written. */
interface Review {
  readonly entries: readonly ReviewedEntry[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
  readonly findings: readonly Finding[];
}

/** How the server is known, for a person. */
function knownBy({ url, fingerprint, location }: LiveServer): string {
  if (fingerprint !== null) return fingerprint;
  if (url.protocol === "http:") return "none: plain http, nothing proves who answered";
  const pins = location["issuer_pins"] === undefined ? "" : ", one of them pinned";
  return `any for which authorities of the web vouch${pins} (trust webpki)`;
}

function show(server: LiveServer, { entries, leftOut, findings }: Review, terminal: Terminal): void {
  terminal.err.write(`${server.url.href}\n  key: ${knownBy(server)}\n\n`);
  for (const { name, entry } of entries) {
    terminal.err.write(
      `${visibleText(name)}\n  ${visibleText(JSON.stringify(entry.approved_definition))}\n  ` +
        `${JSON.stringify(entry.definition_hash)}\n`,
    );
    const own = findings.filter(({ tool }) => tool === name);
    terminal.err.write(
      own.length === 0
        ? "  scan: nothing found\n\n"
        : `${own.map((finding) => `  ${findingLine(finding, terminal)}\n`).join("")}\n`,
    );
  }
  for (const { name, why } of leftOut) terminal.err.write(`${visibleText(name)}\n  left out: ${visibleText(why)}\n\n`);
}

/** The catalog to extend; an empty one if the file does not exist. */
async function catalogToExtend(path: string | undefined): Promise<JsonValue> {
  return path === undefined || !existsSync(path) ? [] : await readCatalogFile(path);
}

/** The built-in labels and domains with those of the deployment. Ranks do not matter to a catalog. */
function vocabularyWith(labels: readonly string[], domains: readonly string[]): Vocabulary {
  return new Vocabulary({
    vocabulary: Object.fromEntries(labels.map((label) => [label, 0])),
    compliance_domains: Object.fromEntries(domains.map((domain) => [domain, true])),
  });
}
