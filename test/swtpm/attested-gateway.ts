/** A gateway whose platform is a TPM, played by swtpm. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { NO_SWTPM, Swtpm } from "../../attestation/src/tpm/transport/testing/swtpm.ts";
import { startEverythingServer, type ServerProcess } from "../servers/everything-server.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { CLI, startGateway, type Gateway } from "../gateway/gateway.ts";

/** Bearer token of the only principal. */
export const TOKEN = "token-of-the-only-principal-0123456789";
/** The command line under test; another build of it, for trying one out. */
export const ENTRY = process.env["CMCP_TEST_CLI"] ?? CLI;

/** A gateway with its TPM, and requests to it. */
export interface Attested {
  readonly gateway: Gateway;
  readonly json: <T = Record<string, unknown>>(path: string, init?: RequestInit) => Promise<T>;
  readonly call: (message: string, session?: string) => Promise<Response>;
}

/** Runs the command line under test. */
export function cmcp(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", ENTRY, ...args],
      { env: { PATH: process.env["PATH"], NO_COLOR: "1", ...env } },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });
}

/** Deployments of gateways on TPMs in front of one tool server, in a folder of their own. */
export class Deployments {
  readonly folder: string;
  readonly #server: ServerProcess;
  #count = 0;

  constructor(folder: string, server: ServerProcess) {
    this.folder = folder;
    this.#server = server;
  }

  /** Starts the tool server and makes the folder. */
  static async open(): Promise<Deployments> {
    return new Deployments(await mkdtemp(join(tmpdir(), "cmcp-attested-")), await startEverythingServer());
  }

  /** Writes a deployment with these further settings of `attestation`. Gives the configuration's path. */
  async write(attestation: string): Promise<string> {
    this.#count += 1;
    const tools = [
      {
        name: "echo",
        url: `http://127.0.0.1:${this.#server.port}/mcp`,
        inputSchema: { type: "object", properties: { message: { type: "string" } }, required: ["message"] },
      },
    ];
    return await deploy(join(this.folder, `d${this.#count}`), {
      tools,
      policies: ALLOW_ALL,
      config: `attestation: {provider: tpm, ${attestation}}\ncatalog: {drift_policy: warn_only}\n`,
    });
  }

  /** Stops the server and removes the folder. */
  async close(): Promise<void> {
    await this.#server.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A TPM of its own for a test, which is skipped where there is no swtpm. */
export async function freshTpm(t: TestContext): Promise<Swtpm | undefined> {
  const swtpm = await Swtpm.start();
  if (swtpm === null) {
    t.skip(NO_SWTPM);
    return undefined;
  }
  t.after(async () => await swtpm.stop());
  return swtpm;
}

/** Starts a gateway on a TPM; it stops with the test. */
export async function startAttested(t: TestContext, config: string, swtpm: Swtpm): Promise<Attested> {
  const gateway = await startGateway(
    config,
    { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN, CMCP_TPM_SOCKET: swtpm.socket },
    { entry: ENTRY },
  );
  t.after(async () => await gateway.stop());
  const request = async (path: string, init: RequestInit = {}): Promise<Response> =>
    await fetch(`${gateway.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string> | undefined) },
    });
  return {
    gateway,
    json: async <T>(path: string, init?: RequestInit) => (await (await request(path, init)).json()) as T,
    call: async (message, session = "s") =>
      await request("/mcp", {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name: "echo", arguments: { message }, _cmcp: { session_id: session } },
        }),
      }),
  };
}
