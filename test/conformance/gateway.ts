import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { JsonObject } from "@cmcp/boundary";
import { cmcp } from "../gateway/cli.ts";
import { startConnect } from "../gateway/connected.ts";
import { startGateway } from "../gateway/gateway.ts";
import { freePort } from "../servers/everything-server.ts";

const MANIFEST = {
  version: "1.0.0",
  authored_at: "2026-01-01T00:00:00Z",
  author_identity: "test@example.org",
  commit_sha: "0",
};
/**
 * Conformance is about the protocol, so the policy allows everything that the catalog has. What servers ask of agents
 * must be named to be allowed.
 */
const RULES = `@id("allow-all")
permit (principal, action, resource);

@id("allow-questions")
permit (principal, action == cMCP::Action::"ask_client", resource);
`;

async function succeeded(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cmcp(args);
  if (code !== 0) throw new Error(`cmcp ${args.join(" ")} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

/** What is approved of a server beside its tools. */
export type Imported = readonly ("--resources" | "--prompts")[];

/** What agents of a column speak to. */
export interface Endpoint {
  readonly mcp: string;
  stop(): Promise<void>;
}

/** How agents reach a gateway: as they are, or through `cmcp connect`. */
type Channel = "plain" | "sealed";

/** That of a column with a gateway. */
export function channelOf(column: string | undefined): Channel {
  return column === "sealed" ? "sealed" : "plain";
}

/**
 * Starts a gateway in front of one server, as an operator does it: what the server offers is imported into a
 * catalog, the schema is written for the rules, and `cmcp start` runs on loopback without a token. A sealed one takes
 * nothing in the clear, and `cmcp connect` stands before it.
 */
export async function startGatewayBefore(
  serverUrl: string,
  folder: string,
  { imported, channel }: { readonly imported: Imported; readonly channel: Channel },
): Promise<Endpoint> {
  await rm(folder, { recursive: true, force: true });
  const policies = join(folder, "policies");
  await mkdir(policies, { recursive: true });
  const catalog = join(folder, "catalog.json");
  await succeeded([
    "catalog",
    "import",
    serverUrl,
    "--approved-by",
    "test@example.org",
    "--domain",
    "public",
    "--sensitivity",
    "public",
    ...imported,
    "--into",
    catalog,
  ]);
  await allowAdditional(catalog);
  await writeFile(join(policies, "manifest.json"), JSON.stringify(MANIFEST));
  await writeFile(join(policies, "rules.cedar"), RULES);
  await writeFile(join(policies, "schema.cedarschema"), "");
  await writeFile(
    join(policies, "schema.cedarschema"),
    await succeeded(["policy", "schema", policies, "--catalog", catalog]),
  );
  const config = join(folder, "cmcp-config.yaml");
  const [port, connectPort] = [await freePort(), await freePort()];
  // The suite also comes as a page of the endpoint's own origin would; no page of another origin is let in.
  const origin = `http://127.0.0.1:${channel === "sealed" ? connectPort : port}`;
  await writeFile(
    config,
    `policy_bundle_path: policies/
catalog_path: catalog.json
listen_addr: 127.0.0.1:${port}
enclave:
  channel: ${channel}
  allowed_origins: ["${origin}"]
`,
  );
  const gateway = await startGateway(config, { CMCP_DEV_MODE: "1" });
  if (channel === "plain") return { mcp: gateway.mcp, stop: async () => void (await gateway.stop()) };
  const connected = await startConnect(gateway.url, { port: connectPort });
  return {
    mcp: connected.mcp,
    stop: async () => {
      await connected.stop();
      await gateway.stop();
    },
  };
}

/** Some tools of the suites take arguments that their schemas leave open; an operator who wants that says so in the entry. */
async function allowAdditional(path: string): Promise<void> {
  const catalog = JSON.parse(await readFile(path, "utf8")) as JsonObject | JsonObject[];
  const allowed = (entries: readonly JsonObject[]): JsonObject[] =>
    entries.map(({ input_schema: _closed, ...entry }) => ({ ...entry, additional: "allow" }));
  const written = Array.isArray(catalog)
    ? allowed(catalog)
    : { ...catalog, entries: allowed(catalog["entries"] as JsonObject[]) };
  await writeFile(path, JSON.stringify(written));
}
