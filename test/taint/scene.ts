import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { AuditEntry } from "@cmcp/audit";
import { auditBundleSchema, type DisclosedCall } from "@cmcp/audit/schema";
import { toBase64Url } from "@cmcp/boundary";
import { PRIVATE_KEY_BYTES, randomBytes, X_WING_SUITE } from "@cmcp/seal";
import { cmcp } from "../gateway/cli.ts";
import { disclosedCalls } from "../gateway/disclosed-calls.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { CLI, startGateway } from "../gateway/gateway.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import { newToken, tokenLine } from "../gateway/principals.ts";
import { makeServerCertificate } from "../servers/certificate.ts";
import { DIALECTS, TaintingAgent, type Dialect } from "./agent.ts";
import { Markers } from "./marker.ts";
import { promptName, resourceUri, toolName, type ServerEra } from "./offers.ts";
import { startTaintingServer, type TaintingServer } from "./server.ts";

/** The eras that servers speak. */
export const SERVER_ERAS: readonly ServerEra[] = ["legacy", "modern"];

const ruled = (era: ServerEra): string => `
@id("${era}-tool-denied")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"${toolName(era, "denied")}");
@id("${era}-resource-denied")
forbid (principal, action in [cMCP::Action::"read_resource", cMCP::Action::"subscribe_resource", cMCP::Action::"complete"], resource)
when { resource has uri && resource.uri == "${resourceUri(era, "denied")}" };
@id("${era}-prompt-denied")
forbid (principal, action in [cMCP::Action::"get_prompt", cMCP::Action::"complete"], resource)
when { resource has prompt_name && resource.prompt_name == "${promptName(era, "denied")}" };
@id("${era}-redacted") @redact_fields("number") @keep_fields("kept")
permit (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"${toolName(era, "redacted")}");
`;

const POLICIES = `${ALLOW_ALL}
@id("servers-may-ask")
permit (principal, action == cMCP::Action::"ask_client", resource);
${SERVER_ERAS.map(ruled).join("")}`;

/** A gateway as a scene needs it. */
export interface SceneGateway {
  readonly url: string;
  readonly mcp: string;
  stop(): Promise<unknown>;
}

/** How agents and servers are reached. */
export interface Reach {
  /** What requests with a token are taken over. */
  readonly channel: "plain" | "sealed";
  /** Whether tool servers have TLS with a pinned key, and ask for a credential. */
  readonly tls: boolean;
  readonly start: (config: string, env: Record<string, string>) => Promise<SceneGateway>;
  /** What carries the agents' requests to a gateway that runs. */
  readonly fetchTo: (gateway: SceneGateway) => Promise<typeof fetch>;
}

/** In the clear, through the product's own host. @param entry the command line's script, beside which the enclave's lies */
export function inTheClear(entry: string = CLI): Reach {
  return {
    channel: "plain",
    tls: false,
    start: async (config, env) => await startGateway(config, env, { entry }),
    fetchTo: async () => await Promise.resolve(fetch),
  };
}

/** What nobody but agents, enclave and servers may hold. */
export interface Secrets {
  readonly tokens: readonly string[];
  readonly credentials: readonly string[];
}

/** A running gateway between tainting agents and tainting servers. */
export interface Scene {
  readonly markers: Markers;
  readonly secrets: Secrets;
  readonly servers: Readonly<Record<ServerEra, TaintingServer>>;
  /** An agent of each dialect, each a principal of its own. */
  readonly agents: Readonly<Record<Dialect, TaintingAgent>>;
  /** The folder of the deployment, in which the store is. */
  readonly folder: string;
  /** A request of a dialect's principal, to a path of the gateway. */
  request(dialect: Dialect, path: string, init?: RequestInit): Promise<Response>;
  /** What is on record of a session of a dialect's principal. */
  entries(dialect: Dialect, session: string): Promise<readonly AuditEntry[]>;
  /** The calls of a session, as an auditor opens them in the store. */
  disclosed(session: string): Promise<readonly DisclosedCall[]>;
  /** Stops the gateway; the folder stays. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** What the catalog calls the credential of a server. */
export const credentialName = (era: ServerEra): string => `${era}-key`;

async function importFrom(server: TaintingServer, folder: string, pin: string | null): Promise<void> {
  const options = ["--approved-by", "test@example.org", "--domain", "public", "--sensitivity", "public"];
  const into = ["--resources", "--prompts", "--into", join(folder, "catalog.json")];
  const named = pin === null ? [] : ["--pin", pin, "--server-name", server.era];
  const done = await cmcp(["catalog", "import", server.url, ...options, ...named, ...into]);
  if (done.code !== 0) throw new Error(`the catalog could not be imported: ${done.stderr}`);
}

/** Has the gateway show each server a credential. */
async function askForCredentials(folder: string): Promise<void> {
  const path = join(folder, "catalog.json");
  const catalog = JSON.parse(await readFile(path, "utf8")) as { readonly servers: { name: ServerEra }[] };
  const servers = catalog.servers.map((server) => ({ ...server, credential: credentialName(server.name) }));
  await writeFile(path, JSON.stringify({ ...catalog, servers }));
}

interface Deployed {
  readonly config: string;
  readonly tokens: Readonly<Record<Dialect, string>>;
  readonly credentials: readonly string[];
}

async function deployScene(
  folder: string,
  { channel, tls }: Reach,
  { servers, pin, auditor }: { servers: Scene["servers"]; pin: string | null; auditor: Uint8Array },
): Promise<Deployed> {
  const tokens = { post: newToken(), session: newToken(), modern: newToken() };
  const credentials = SERVER_ERAS.map((era) => [credentialName(era), newToken()] as const);
  const principals = DIALECTS.map((dialect) => `    - id: ${dialect}\n`).join("");
  const config = await deploy(folder, {
    tools: [],
    policies: POLICIES,
    config:
      `log:\n  auditors: [${toBase64Url(auditor)}]\nenclave:\n  channel: ${channel}\n  token_file: tokens\n` +
      `${tls ? "  credentials_file: credentials\n" : ""}  principals:\n${principals}`,
  });
  const secret = { mode: 0o600 };
  const lines = DIALECTS.map((dialect) => tokenLine(dialect, tokens[dialect])).join("");
  await writeFile(join(folder, "tokens"), lines, secret);
  for (const era of SERVER_ERAS) await importFrom(servers[era], folder, pin);
  if (tls) {
    const shown = credentials.map(([name, value]) => `${name} ${value}\n`).join("");
    await writeFile(join(folder, "credentials"), shown, secret);
    await askForCredentials(folder);
  }
  await writePolicySchema(folder);
  return { config, tokens, credentials: tls ? credentials.map(([, value]) => value) : [] };
}

/** Starts servers, gateway and agents. */
export async function startScene(reach: Reach = inTheClear()): Promise<Scene> {
  const markers = new Markers();
  const folder = await mkdtemp(join(tmpdir(), "cmcp-taint-"));
  const certificate = reach.tls ? await makeServerCertificate() : null;
  const servers = {
    legacy: await startTaintingServer("legacy", markers, certificate),
    modern: await startTaintingServer("modern", markers, certificate),
  };
  const auditor = X_WING_SUITE.kem.keyOf(randomBytes(PRIVATE_KEY_BYTES));
  const pin = certificate?.fingerprint ?? null;
  const { config, tokens, credentials } = await deployScene(folder, reach, {
    servers,
    pin,
    auditor: auditor.publicKey,
  });
  const gateway = await reach.start(config, { CMCP_DEV_MODE: "1" });
  const carried = await reach.fetchTo(gateway);
  const agentOf = (dialect: Dialect): TaintingAgent =>
    new TaintingAgent({ mcp: gateway.mcp, token: tokens[dialect], fetch: carried }, dialect, markers);
  const agents = { post: agentOf("post"), session: agentOf("session"), modern: agentOf("modern") };
  for (const dialect of DIALECTS) await agents[dialect].open();
  const request: Scene["request"] = async (dialect, path, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${tokens[dialect]}`);
    return await carried(`${gateway.url}${path}`, { ...init, headers });
  };
  let stopping: Promise<unknown> | null = null;
  const stop = async (): Promise<void> => void (await (stopping ??= gateway.stop()));
  return {
    markers,
    secrets: { tokens: Object.values(tokens), credentials },
    servers,
    agents,
    folder,
    request,
    entries: async (dialect, session) => {
      const response = await request(dialect, `/audit/export?session_id=${session}`);
      return auditBundleSchema.parse(await response.json()).entries;
    },
    disclosed: async (session) => await disclosedCalls(join(dirname(config), "audit.db"), session, auditor),
    stop,
    close: async () => {
      await stop();
      await Promise.all(Object.values(servers).map((server) => server.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
