import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deploy } from "../../gateway/deployment.ts";
import { developmentEnvironment } from "../../gateway/gateway.ts";
import { newToken, tokenLine } from "../../gateway/principals.ts";
import { makeServerCertificate } from "../../servers/certificate.ts";
import { INPUT_SCHEMA, TOOL, rules } from "../call.ts";
import { STREAM_SCHEMA, STREAM_TOOL } from "../stream-call.ts";
import { Child } from "../processes/child.ts";

/** How a tool server is reached. */
export type UpstreamKind = "plain" | "tls-pinned";

/** What a deployment is to be; what is left out is one echo server over plain HTTP and one principal. */
export interface SetupWish {
  readonly kind?: UpstreamKind;
  /** `stream`: the server of streamed results instead of echo servers. */
  readonly server?: "echo" | "stream";
  /** Tools of each echo server. */
  readonly tools?: readonly (readonly string[])[];
  /** Rules of the bundle, where they are not those that permit each tool. */
  readonly policies?: string;
  readonly principals?: number;
  /** Lines of the configuration's `enclave` section. */
  readonly enclave?: readonly string[];
  /** Further lines of the configuration. */
  readonly config?: readonly string[];
}

/** Tool servers, and a deployment of the gateway in front of them. */
export interface Setup {
  readonly kind: UpstreamKind;
  /** The process of the servers. */
  readonly servers: Child;
  /** Of each server. */
  readonly ports: readonly number[];
  /** What the bare proxy is started with. */
  readonly bare: { readonly upstreams: readonly string[]; readonly ca?: string };
  /** The gateway's configuration file. */
  readonly config: string;
  /** What the gateway is started with. */
  readonly environment: Record<string, string>;
  /** A token of each principal. */
  readonly tokens: readonly [string, ...string[]];
}

/** Rules of every measured gateway. */
export const RULES = 10;

async function principalsOf(
  folder: string,
  count: number,
): Promise<Pick<Setup, "environment" | "tokens"> & { readonly lines: readonly string[] }> {
  if (count === 1) {
    const token = randomBytes(32).toString("base64url");
    return { environment: developmentEnvironment(token), tokens: [token], lines: [] };
  }
  const first = newToken();
  const tokens: [string, ...string[]] = [first, ...Array.from({ length: count - 1 }, newToken)];
  await writeFile(join(folder, "tokens"), tokens.map((token, index) => tokenLine(`agent-${index}`, token)).join(""), {
    mode: 0o600,
  });
  return {
    environment: { CMCP_DEV_MODE: "1" },
    tokens,
    lines: ["token_file: tokens", "principals:", ...tokens.map((_, index) => `  - {id: "agent-${index}"}`)],
  };
}

/** Starts the tool servers and writes a deployment for them. */
export async function setUp(
  folder: string,
  { kind = "plain", server = "echo", tools = [[TOOL]], principals = 1, enclave = [], ...wish }: SetupWish,
): Promise<Setup> {
  await mkdir(folder, { recursive: true });
  const { cert, key, fingerprint } = await makeServerCertificate();
  const secure = kind === "tls-pinned";
  // More names than an argument of a process may hold.
  const toolsFile = join(folder, "tools.json");
  await writeFile(toolsFile, JSON.stringify(tools));
  const servers =
    server === "stream"
      ? Child.start("./stream-server.ts", {})
      : Child.start("./echo-server.ts", { toolsFile, ...(secure ? { cert, key } : {}) });
  const { ports } = await servers.next<{ ports: readonly number[] }>();
  const upstreams = ports.map((port) => `${secure ? "https" : "http"}://127.0.0.1:${port}`);
  const served = server === "stream" ? [[STREAM_TOOL]] : tools;
  const { lines, ...callers } = await principalsOf(folder, principals);
  const section = [...lines, ...enclave].map((line) => `  ${line}\n`).join("");
  const config = await deploy(folder, {
    tools: served.flatMap((names, index) =>
      names.map((name) => ({
        name,
        url: `${upstreams[index]}/mcp`,
        inputSchema: server === "stream" ? STREAM_SCHEMA : INPUT_SCHEMA,
        ...(secure ? { fingerprint } : {}),
      })),
    ),
    policies: wish.policies ?? rules(RULES, served.flat()),
    config: `${["audit_db_path: audit.db", ...(wish.config ?? [])].join("\n")}\n${section === "" ? "" : `enclave:\n${section}`}`,
  });
  return { kind, servers, ports, bare: { upstreams, ...(secure ? { ca: cert } : {}) }, config, ...callers };
}
