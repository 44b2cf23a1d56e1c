import { join, resolve } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { loadCatalog } from "@cmcp/catalog";
import { Vocabulary } from "@cmcp/session";
import { readArguments, required } from "../arguments.ts";
import { readLiveServer, serverUrl, type ListedServer } from "../catalog/live-server.ts";
import { asciiJson, findingJson, hasBlockingFinding } from "../catalog/print-findings.ts";
import { nameOfTree, readStdioServer } from "../catalog/stdio-server.ts";
import { EXIT, type Command, type Terminal } from "../command.ts";
import { createFolder } from "../create-folder.ts";
import { startingPolicy } from "../policy/starting-policy.ts";
import { approveTools, NO_TOOLS, type ApprovedTools } from "../server/approved-tools.ts";
import { ownTree } from "../server/own-tree.ts";
import { reportRefused, toolLines } from "../server/report.ts";
import { deploymentFiles } from "./deployment.ts";

const OPTIONS = {
  "approved-by": { type: "string" },
  server: { type: "string" },
  trust: { type: "string" },
  pin: { type: "string" },
  "issuer-pin": { type: "string", multiple: true, default: [] as string[] },
  stdio: { type: "string" },
  script: { type: "string" },
  arg: { type: "string", multiple: true, default: [] as string[] },
  tool: { type: "string", multiple: true, default: [] as string[] },
  read: { type: "string", multiple: true, default: [] as string[] },
  "read-hints": { type: "boolean", default: false },
  domain: { type: "string", default: "internal" },
  sensitivity: { type: "string", default: "confidential" },
  listen: { type: "string", default: "127.0.0.1:8443" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp init` */
export const init: Command = {
  help: `Usage: cmcp init FOLDER --approved-by EMAIL [--server URL | --stdio TREE --script FILE] [options]

Writes a deployment that starts into the new folder FOLDER: configuration, policy bundle, catalog, and a token for one
agent. Pointed at a server, it approves the tools that the server lists and writes a policy to begin with: what only
reads is permitted, and every other call waits for a person. Read what it shows: approving is yours. A high
finding of the scanner writes nothing. Nothing is ever overwritten.

  --approved-by EMAIL  who approves the tools and answers for the policy; required
  --server URL         a server over streamable HTTP. Plain http works in development mode only
  --trust pinned|webpki  how an https server is known: by its key, which is the default, or by the authorities of
                       the web, so that it may renew its key
  --pin SHA256:BASE64  it must have this key; without it an authority must vouch for the server
  --issuer-pin SHA256:BASE64  with webpki: this key of an authority must be above it; may be given again
  --stdio TREE         a server that the gateway starts: the folder with it and everything it depends on. Its files are
                       measured, and it runs once, confined where this machine can, to list its tools
  --script FILE        its script, below TREE          --arg ARG  an argument of it; may be given again
  --tool TOOL          of the tools only this one; may be given again
  --read TOOL          a tool that you found to read only; may be given again
  --read-hints         take the server's own word for which tools only read
  --domain DOMAIN      compliance domain of all tools; internal by default
  --sensitivity LABEL  their sensitivity; confidential by default
  --listen HOST:PORT   where agents connect; 127.0.0.1:8443 by default
  --json               one line: ok, folder, config, token_file, development, reads, others, said_to_read, closed,
                       left_out, findings

Exit codes: 0 written, 10 refused, 64 usage, or the folder is there already.
Example:    cmcp init gateway --approved-by you@example.com --server http://127.0.0.1:3001/mcp --read echo
`,
  async run(args, terminal) {
    const { values, positional } = readArguments(args, OPTIONS, "FOLDER");
    const folder = required(positional, "FOLDER");
    const approvedBy = required(values["approved-by"], "--approved-by");
    if (!/^[^\s@]+@[^\s@]+$/.test(approvedBy)) throw new CmcpError("USAGE", "--approved-by is an e-mail address");
    const { domain, sensitivity, listen, json } = values;
    const server = await serverOf(values);
    const approval = { approvedBy, domain, sensitivity, tools: values.tool, serverName: "server", aliases: new Map() };
    const tools =
      server === null ? NO_TOOLS : await approveTools(server.listed, { ...approval, displayName: server.displayName });
    if (hasBlockingFinding(tools.findings)) {
      reportRefused(tools, json, terminal);
      return EXIT.rejected;
    }
    const reads = readingTools(tools, values);
    const catalog = loadCatalog(tools.catalog, { developmentMode: true, vocabulary: new Vocabulary() });
    const policy = startingPolicy({ catalog, reads, author: approvedBy, authoredAt: new Date() });
    await createFolder(folder, deploymentFiles({ catalog: tools.catalog, policy, listen }));
    const url = server?.listed.location["url"];
    const development = typeof url === "string" && url.startsWith("http:");
    report({ folder, tools, reads, development, listen }, json, terminal);
    return EXIT.ok;
  },
};

interface ServerOptions {
  readonly server?: string | undefined;
  readonly trust?: string | undefined;
  readonly pin?: string | undefined;
  readonly "issuer-pin": readonly string[];
  readonly stdio?: string | undefined;
  readonly script?: string | undefined;
  readonly arg: readonly string[];
}

/** The server that the options point at, as it answers; `null` for none. */
async function serverOf({ server, stdio, script, arg, ...known }: ServerOptions): Promise<{
  readonly listed: ListedServer;
  readonly displayName: string;
} | null> {
  if (server !== undefined && stdio !== undefined)
    throw new CmcpError("USAGE", "--server and --stdio exclude one another");
  if (stdio === undefined && (script !== undefined || arg.length > 0))
    throw new CmcpError("USAGE", "--script and --arg are for --stdio");
  const { trust, pin, "issuer-pin": issuerPins } = known;
  if (server === undefined && (trust !== undefined || pin !== undefined || issuerPins.length > 0))
    throw new CmcpError("USAGE", "--trust, --pin and --issuer-pin are for --server");
  if (stdio !== undefined) {
    const { start } = await ownTree({ path: stdio, script: required(script, "--script") });
    const name = nameOfTree(stdio);
    const listed = await readStdioServer({ ...start, name, args: [...start.args, ...arg], environment: {} });
    return { listed, displayName: name };
  }
  if (server === undefined) return null;
  const url = serverUrl(server);
  return { listed: await readLiveServer(url, { trust, pin, issuerPins }), displayName: url.host };
}

/** The tools that the policy permits without a person. */
function readingTools(
  { names, saidToRead }: ApprovedTools,
  { read, "read-hints": hints }: { readonly read: readonly string[]; readonly "read-hints": boolean },
): ReadonlySet<string> {
  for (const name of read)
    if (!names.includes(name)) throw new CmcpError("USAGE", `--read ${name}: it is not among the approved tools`);
  return new Set([...read, ...(hints ? saidToRead : [])]);
}

interface Written {
  readonly folder: string;
  readonly tools: ApprovedTools;
  readonly reads: ReadonlySet<string>;
  /** Whether it starts in development mode only. */
  readonly development: boolean;
  readonly listen: string;
}

function report({ folder, tools, reads, development, listen }: Written, json: boolean, terminal: Terminal): void {
  const config = join(folder, "cmcp-config.yaml");
  const tokenFile = join(folder, "agent-token");
  const { names, saidToRead, closed, leftOut, findings } = tools;
  const others = names.filter((name) => !reads.has(name));
  if (json) {
    const lists = { reads: [...reads], others, said_to_read: saidToRead, closed, left_out: leftOut };
    terminal.out.write(
      `${asciiJson({ ok: true, folder: resolve(folder), config: resolve(config), token_file: resolve(tokenFile), development, ...lists, findings: findings.map(findingJson) })}\n`,
    );
    return;
  }
  terminal.out.write(
    `wrote ${folder}\n${toolLines(tools, reads, terminal)}` +
      `\nstart it:        ${development ? "CMCP_DEV_MODE=1 " : ""}cmcp start --config ${config}\n` +
      `agents connect:  http://${listen}/mcp, with the header Authorization: Bearer and what is in ${tokenFile}\n` +
      (development ? "The server speaks plain http, so nothing proves who answers: development mode only.\n" : ""),
  );
}
