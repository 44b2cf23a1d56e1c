import { dirname } from "node:path";
import process from "node:process";
import { CmcpError, isJsonObject, type JsonValue } from "@cmcp/boundary";
import { loadCatalog } from "@cmcp/catalog";
import {
  readBundleFolder,
  readCatalogFile,
  readConfigFile,
  withServerEnvironment,
  type ConfigInputs,
} from "@cmcp/launch/files";
import { readBundle } from "@cmcp/policy/bundle";
import { Vocabulary } from "@cmcp/session";
import { readArguments, required } from "../arguments.ts";
import { hasBlockingFinding } from "../catalog/print-findings.ts";
import { checkCedar } from "../check/check-cedar.ts";
import { EXIT, type Command } from "../command.ts";
import { extendBundle, type ExtendedBundle } from "../policy/server-rules.ts";
import { replaceFiles } from "../replace-file.ts";
import { approveTools, type ApprovedTools } from "./approved-tools.ts";
import { OPTIONS, readOptions, type AddOptions } from "./options.ts";
import { readServer } from "./read-server.ts";
import { reportAdded, reportRefused } from "./report.ts";

/** `cmcp server add` */
export const serverAdd: Command = {
  help: `Usage: cmcp server add SOURCE --config FILE --approved-by EMAIL [options]

Puts a server behind the gateway of a deployment: gets it, pins it, starts it once to read its tools, scans them, and
writes catalog entries and rules. Read what it shows: approving is yours. A high finding of the scanner writes nothing.

SOURCE is one of
  npx:NAME[@VERSION]   a package of npm. It and all it depends on are pinned by SHA-512 and installed without their
                       scripts, into servers/ beside the configuration
  uvx:NAME[@VERSION]   a package of the Python index. Built packages alone are taken, pinned by SHA-256, and packed with
                       the interpreter and its libraries: the server runs with nothing of the machine
  https://HOST/PATH    a server over streamable HTTP (plain http works in development mode only)
  registry:NAME[@VERSION]  an entry of a registry (server.json): its package of npm or PyPI, its bundle, or its server
                       over HTTP. What has another digest than the entry says is refused
  ./FILE.mcpb          an MCP bundle with a server of Node or a program
  ./PATH               a program or script of your own, or a folder with one, as it stands

  --config FILE        the deployment's configuration; cmcp init makes one
  --approved-by EMAIL  who approves the tools and answers for the rules; required
  --name NAME          what the server is called; from SOURCE by default
  --arg ARG            an argument of it; may be given again
  --env NAME=VALUE     an environment variable of it, written into the configuration, which is measured: no secret
  --secret NAME        an environment variable of it that has a secret. The catalog names the credential that is
                       provisioned, NAME in lower case. If NAME is set here, the tools are read with its value
  --egress HOST:PORT   a host that it may reach during calls; may be given again. The rules permit it to all its tools,
                       whatever a session has seen: narrow them by labels
  --bin NAME           of a package with several programs this one
  --script FILE        what is run of a folder, below it
  --python PROGRAM     the Python that is packed; python3 by default
  --program NAME       a program of this machine that a Python server starts, such as git, is packed, too
  --tool TOOL          of the tools only this one; may be given again
  --alias TOOL=NAME    what agents know a tool by. A name that the catalog has already gets the server's before it
  --read TOOL          a tool that you found to read only; may be given again
  --read-hints         take the server's own word for which tools only read
  --domain DOMAIN      compliance domain of all tools; internal by default
  --sensitivity LABEL  their sensitivity; confidential by default
  --trust pinned|webpki, --pin SHA256:BASE64, --issuer-pin SHA256:BASE64
                       how an https server is known, as for cmcp catalog import
  --registry URL       the registry; that of the MCP project by default
  --token-env NAME     environment variable with a bearer token for reading an https server's list
  --credential NAME    the gateway sends it this credential, which is provisioned under that name; never the secret
  --json               one line: ok, server, packages, tree, lock_file, confinement, reads, others, said_to_read, closed,
                       renamed, left_out, notes, findings

Exit codes: 0 written, 10 refused, 64 usage.
Example:    cmcp server add npx:@modelcontextprotocol/server-memory --config gateway/cmcp-config.yaml --approved-by you@example.com
`,
  async run(args, terminal) {
    const { values, positional } = readArguments(args, OPTIONS, "SOURCE");
    const options = readOptions(required(positional, "SOURCE"), values);
    const inputs = await readConfigFile(options.config, process.env);
    const deployment = dirname(inputs.paths.config);
    const before = await readCatalogFile(inputs.paths.catalog);
    requireNewName(before, options);
    const server = await readServer(options, deployment);
    try {
      const tools = await approveTools(server.listed, approvalOf(options), before);
      if (hasBlockingFinding(tools.findings)) {
        await server.remove();
        reportRefused(tools, values.json, terminal);
        return EXIT.rejected;
      }
      const reads = readingTools(tools, options);
      const bundle = await write(inputs, options, { before, tools, reads });
      reportAdded({ options, server, tools, reads, notes: bundle.notes, deployment }, values.json, terminal);
      return EXIT.ok;
    } catch (thrown) {
      await server.remove();
      throw thrown;
    }
  },
};

/** Names for people of a catalog's servers. */
function serverNames(catalog: JsonValue): readonly JsonValue[] {
  const { entries = [], servers = [] } = isJsonObject(catalog) ? catalog : { entries: catalog };
  const own = Array.isArray(entries)
    ? entries.map((entry) => (isJsonObject(entry) ? (entry["server"] ?? null) : null))
    : [];
  return [...own, ...(Array.isArray(servers) ? servers : [])].flatMap((server) =>
    isJsonObject(server) ? [server["display_name"] ?? null, server["name"] ?? null] : [],
  );
}

/** Settings and records call a server that is started by its name. @throws CmcpError `USAGE` */
function requireNewName(catalog: JsonValue, { name, source }: AddOptions): void {
  if (source.kind !== "http" && serverNames(catalog).includes(name))
    throw new CmcpError("USAGE", `the catalog has a server named ${name} already; choose another --name`);
}

function approvalOf({ name, serverName, values, aliases, credential }: AddOptions) {
  const { "approved-by": approvedBy = "", domain, sensitivity, tool } = values;
  return { approvedBy, domain, sensitivity, displayName: name, serverName, tools: tool, aliases, credential };
}

/** The tools that the rules permit without a person, by the names that agents know. */
function readingTools({ names, renamed, saidToRead }: ApprovedTools, { values }: AddOptions): ReadonlySet<string> {
  const read = values.read.map((name) => renamed.find(({ at_server: own }) => own === name)?.name ?? name);
  const unknown = read.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new CmcpError("USAGE", `--read ${unknown}: it is not among the approved tools`);
  return new Set([...read, ...(values["read-hints"] ? saidToRead : [])]);
}

/** Writes catalog, rules and configuration, all or none, once they are held to what a start would hold them to. */
async function write(
  { config, paths }: ConfigInputs,
  { name, values, environment, egress }: AddOptions,
  {
    before,
    tools,
    reads,
  }: { readonly before: JsonValue; readonly tools: ApprovedTools; readonly reads: ReadonlySet<string> },
): Promise<ExtendedBundle> {
  const rules = { developmentMode: true, vocabulary: new Vocabulary(config.sensitivity) };
  const catalogs = { before: loadCatalog(before, rules), after: loadCatalog(tools.catalog, rules) };
  const files = await readBundleFolder(paths.policyBundle);
  const extended = extendBundle(
    files,
    {
      server: name,
      reads: tools.names.filter((one) => reads.has(one)),
      others: tools.names.filter((one) => !reads.has(one)),
      hasEgress: egress.length > 0,
      author: values["approved-by"] ?? "",
      authoredAt: new Date(),
    },
    catalogs,
  );
  await checkCedar(readBundle({ ...files, ...extended.files }), catalogs.after);
  const edited =
    Object.keys(environment).length === 0
      ? []
      : [{ path: paths.config, content: await withServerEnvironment(paths.config, process.env, name, environment) }];
  await replaceFiles([
    ...Object.entries(extended.files).map(([path, content]) => ({ path: `${paths.policyBundle}/${path}`, content })),
    ...edited,
    { path: paths.catalog, content: `${JSON.stringify(tools.catalog, null, 2)}\n` },
  ]);
  return extended;
}
