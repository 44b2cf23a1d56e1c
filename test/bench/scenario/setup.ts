import { mkdir } from "node:fs/promises";
import { deploy } from "../../gateway/deployment.ts";
import { makeServerCertificate } from "../../servers/certificate.ts";
import { INPUT_SCHEMA, TOOL, rules } from "../call.ts";
import { Child } from "../processes/child.ts";

/** How a tool server is reached. */
export type UpstreamKind = "plain" | "tls-pinned";

/** One tool server, and a deployment of the gateway in front of it. */
export interface Setup {
  readonly kind: UpstreamKind;
  readonly echo: Child;
  readonly port: number;
  /** What the bare proxy is started with. */
  readonly bare: { readonly upstream: string; readonly ca?: string };
  /** The gateway's configuration file. */
  readonly config: string;
}

/** Rules of every measured gateway. */
export const RULES = 10;

/** Starts the tool server and writes a deployment for it. */
export async function setUp(folder: string, kind: UpstreamKind): Promise<Setup> {
  await mkdir(folder, { recursive: true });
  const { cert, key, fingerprint } = await makeServerCertificate();
  const secure = kind === "tls-pinned";
  const echo = Child.start("./echo-server.ts", secure ? { cert, key } : {});
  const { port } = await echo.next<{ port: number }>();
  const origin = `${secure ? "https" : "http"}://127.0.0.1:${port}`;
  const config = await deploy(folder, {
    tools: [{ name: TOOL, url: `${origin}/mcp`, inputSchema: INPUT_SCHEMA, ...(secure ? { fingerprint } : {}) }],
    policies: rules(RULES),
    config: "audit_db_path: audit.db\n",
  });
  return { kind, echo, port, bare: { upstream: origin, ...(secure ? { ca: cert } : {}) }, config };
}
