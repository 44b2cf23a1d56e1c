import { createHash, randomBytes } from "node:crypto";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { deployQuickstart, listenOnAnyPort } from "./deployment.ts";
import type { RpcReply } from "./fixture.ts";
import { type Gateway } from "./gateway.ts";
import { startInProcess, type StartsGateway } from "./in-process.ts";
import { PATIENCE } from "./launcher.ts";

/** What a request was answered with. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** How a call names its session and workflow. */
export interface CallContext {
  readonly label?: string;
  readonly handle?: string;
  readonly workflow?: string;
  readonly dataClass?: string;
}

/** One agent: a bearer token and the requests it sends. */
export interface Agent {
  request(path: string, init?: RequestInit): Promise<Answer>;
  /** One JSON-RPC POST to `/mcp`. */
  post(body: object, headers?: Record<string, string>): Promise<Answer>;
  call(
    name: string,
    args: object,
    context?: CallContext,
  ): Promise<{ readonly status: number; readonly body: RpcReply }>;
  /** The handle of a session opened by `initialize`. */
  open(): Promise<string>;
}

/** A gateway of several principals in front of the records server; restarts keep its audit store. */
export interface Deployment {
  readonly gateway: Gateway;
  readonly records: RecordsServer;
  readonly folder: string;
  agent(token: string): Agent;
  /** The token a principal was given. */
  tokenOf(principal: string): string;
  /** Writes the token file anew. */
  writeTokens(lines: string): Promise<void>;
  /** Stops the gateway in order and starts another over the same files. */
  restart(): Promise<void>;
  /** Kills the enclave process and waits until the host has started another. */
  killEnclave(): Promise<void>;
  close(): Promise<void>;
}

/** A line of a token file. */
export const tokenLine = (principal: string, token: string): string =>
  `${principal} sha256:${createHash("sha256").update(token).digest("hex")}\n`;

/** A 256-bit token. */
export const newToken = (): string => randomBytes(32).toString("base64url");

/** Waits until `holds`, for at most `withinMs`. @throws when it does not come to hold */
export async function eventually(
  what: string,
  holds: () => Promise<boolean> | boolean,
  withinMs = 20_000 * PATIENCE,
): Promise<void> {
  const until = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > until) throw new Error(`did not happen in time: ${what}`);
    await sleep(25);
  }
}

/**
 * Starts a gateway whose every principal has one token, and workflows or a role of its own.
 * @param enclave lines of the configuration's `enclave` section, beside principals and token file
 * @param start what starts it: `startGateway` where its processes are signalled
 */
export async function startDeployment(
  principals: Readonly<Record<string, readonly string[] | { readonly role: string } | null>>,
  enclave: readonly string[] = [],
  start: StartsGateway = startInProcess,
): Promise<Deployment> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-principals-"));
    undo.push(() => rm(folder, { recursive: true, force: true }));
    const records = await startRecordsServer();
    undo.push(() => records.close());
    const config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: 1,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
    await listenOnAnyPort(config);
    const listed = Object.entries(principals).map(
      ([id, own]) =>
        `    - {id: "${id}"${own === null ? "" : "role" in own ? `, role: ${own.role}` : `, workflows: [${own.join(", ")}]`}}`,
    );
    await appendFile(
      config,
      ["enclave:", "  token_file: tokens", "  principals:", ...listed, ...enclave.map((line) => `  ${line}`), ""].join(
        "\n",
      ),
    );
    const tokens = new Map(Object.keys(principals).map((id) => [id, newToken()]));
    const writeTokens = async (lines: string): Promise<void> =>
      await writeFile(join(folder, "deployment/tokens"), lines, { mode: 0o600 });
    await writeTokens([...tokens].map(([id, token]) => tokenLine(id, token)).join(""));
    let gateway = await start(config, { CMCP_DEV_MODE: "1" });
    undo.push(() => gateway.stop());
    return {
      get gateway() {
        return gateway;
      },
      records,
      folder,
      agent: (token) => agentOf(() => gateway.url, token),
      tokenOf: (principal) => tokens.get(principal) ?? "",
      writeTokens,
      restart: async () => {
        await gateway.stop();
        gateway = await start(config, { CMCP_DEV_MODE: "1" });
      },
      killEnclave: async () => {
        process.kill(lastEnclavePid(gateway), "SIGKILL");
        const ready = async (): Promise<boolean> => (await fetch(`${gateway.url}/readyz`)).status === 200;
        await eventually("the enclave is gone", async () => !(await ready()));
        await eventually("another enclave serves", ready);
      },
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** The host says in its log whenever an enclave is up. */
function lastEnclavePid(gateway: Gateway): number {
  const found = [...gateway.log().matchAll(/"pid":(\d+),[^\n]*"enclave up"/g)].at(-1)?.[1];
  return found === undefined ? gateway.enclave_pid : Number(found);
}

function agentOf(url: () => string, token: string): Agent {
  const request: Agent["request"] = async (path, init = {}) => {
    const response = await fetch(`${url()}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string> | undefined) },
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const post: Agent["post"] = async (body, headers = {}) =>
    await request("/mcp", {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    });
  return {
    request,
    post,
    call: async (name, args, { label, handle, workflow, dataClass } = {}) => {
      const context = {
        ...(label === undefined ? {} : { session_id: label }),
        ...(workflow === undefined ? {} : { workflow_id: workflow }),
        ...(dataClass === undefined ? {} : { data_class: dataClass }),
      };
      const params = { name, arguments: args, ...(Object.keys(context).length === 0 ? {} : { _cmcp: context }) };
      const { status, text } = await post(
        { jsonrpc: "2.0", id: 1, method: "tools/call", params },
        handle === undefined ? {} : { "mcp-session-id": handle },
      );
      return { status, body: JSON.parse(text) as RpcReply };
    },
    open: async () => {
      const opened = await post({
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
      });
      const handle = opened.headers.get("mcp-session-id");
      if (handle === null) throw new Error(`initialize opened no session: ${opened.status} ${opened.text}`);
      return handle;
    },
  };
}
