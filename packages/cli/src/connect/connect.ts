import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { CmcpError } from "@cmcp/boundary";
import { connect as connectTo, type Connection } from "@cmcp/client";
import { isLoopback } from "@cmcp/launch";
import type { InstanceVerdict } from "@cmcp/verify";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command, type Terminal } from "../command.ts";
import { instanceJson, instanceLines, shownInstance, type ShownInstance } from "../instance/shown-instance.ts";
import { gatewayUrl, TOKEN_VARIABLE, tokenFrom } from "../session/gateway-client.ts";
import { stopSignal } from "../start/stop-signal.ts";
import { pinsOf, RUNNING_PIN_HELP, RUNNING_PIN_OPTIONS } from "../verify/pin-options.ts";
import { presentManifest } from "./present-manifest.ts";
import { serveLocally } from "./local-endpoint.ts";
import { patientFetch } from "./patient-fetch.ts";
import { provenFetch, readProofKey } from "./proven-fetch.ts";
import { ReceiptFolder } from "./receipt-folder.ts";
import { StdioBridge } from "./stdio-bridge.ts";

const OPTIONS = {
  ...RUNNING_PIN_OPTIONS,
  url: { type: "string" },
  listen: { type: "string" },
  workflow: { type: "string" },
  "token-env": { type: "string" },
  "dpop-key": { type: "string" },
  development: { type: "boolean", default: false },
  receipts: { type: "string" },
  manifest: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** Name of a workflow that has an endpoint. */
const WORKFLOW = /^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}$/;
/** Where `cmcp start` listens, unless its configuration says otherwise. */
const DEVELOPMENT_URL = "http://127.0.0.1:8443";

/** `cmcp connect` */
export const connect: Command = {
  help: `Usage: cmcp connect --url URL [--listen 127.0.0.1:PORT] [options]
       cmcp connect --development [--listen 127.0.0.1:PORT] [options]

Verifies a gateway's enclave, then serves an MCP client that knows no seal, and seals what it sends to that enclave: the
gateway's host reads neither requests nor answers. Nothing is sent before the enclave is accepted, and nothing ever in
the clear. Without --listen the client speaks over standard input and output, as desktop clients start such a command.

  --url URL                the gateway
  --development            for a gateway in development: takes software-only evidence, which proves nothing, and says so
                           on standard error. On loopback only; without --url at ${DEVELOPMENT_URL}
  --listen 127.0.0.1:PORT  serve HTTP there, print the address, and go on until stopped; port 0 is a free one. Every
                           program of this machine can use it
  --workflow NAME          without --listen: the tools of this workflow alone. With --listen the client adds /NAME to the address
  --token-env NAME         environment variable with the bearer token; without --listen CMCP_BEARER_TOKEN by default. With
                           --listen a request's own token comes first
  --dpop-key FILE          the tokens are bound to this key (DPoP): a private JWK or PEM of P-256. Each request goes with a
                           proof of it
  --receipts FOLDER        append every receipt there: a file for each session, which cmcp verify --receipt holds to
                           an export. It has no payloads
  --manifest FILE          present this agent manifest once the enclave is accepted, with the token of --token-env: sessions
                           that the agent then opens are under it
${RUNNING_PIN_HELP}
  --json                   address and instance as JSON, in one line, as cmcp instance verify --json prints it

Exit codes: 0 stopped, or the input has ended, 10 the enclave is not accepted, no gateway's answer, or the log that the
host publishes is another than the receipts', 64 usage.
Example:    cmcp connect --url https://gateway.example --launch-document launch.json --measurements measurements.json
`,
  async run(args, terminal) {
    const { values } = readArguments(args, OPTIONS);
    const { development } = values;
    const gateway = gatewayUrl(development ? (values.url ?? DEVELOPMENT_URL) : required(values.url, "--url"));
    if (development) allowDevelopment(gateway, terminal);
    const port = values.listen === undefined ? null : portOf(values.listen);
    const path = pathOf(values.workflow, port !== null);
    const token = tokenOf(values["token-env"], port === null);
    if (values.manifest !== undefined && token === null)
      throw new CmcpError("USAGE", "--manifest needs a token: name its variable with --token-env");
    const pins = await pinsOf(development ? { ...values, "allow-software-only": true } : values);
    const pair = values["dpop-key"] === undefined ? null : await readProofKey(values["dpop-key"]);
    const folder = values.receipts === undefined ? null : new ReceiptFolder(values.receipts);
    const { fetch, close } = patientFetch();
    const sealed = await connectTo(gateway, pins, {
      crypto: nodeCrypto,
      fetch,
      onReceipt: (receipt) => folder?.append(receipt),
      onNotice: (text) => void terminal.err.write(`${text}\n`),
    });
    const { verdict } = sealed;
    const connection: Connection = {
      verdict,
      fetch: pair === null ? sealed.fetch : provenFetch({ fetch: sealed.fetch, pair, gateway }),
      close: async () => await sealed.close(),
    };
    if (values.manifest !== undefined) await presentManifest(values.manifest, { connection, gateway, token });
    const announced = { verdict, shown: shownInstance(verdict, pins.launch?.document ?? null) };
    if (port === null) {
      announce(null, announced, values.json, terminal);
      await bridge({ connection, endpoint: new URL(path, gateway), token }, terminal);
      await connection.close();
      close();
      return EXIT.ok;
    }
    const endpoint = await serveLocally(port, { connection, gateway, token });
    const stopped = stopSignal(terminal.out);
    announce(endpoint.url, announced, values.json, terminal);
    if (!stopped.aborted) await new Promise((resolve) => stopped.addEventListener("abort", resolve, { once: true }));
    await endpoint.close();
    await connection.close();
    close();
    return EXIT.ok;
  },
};

/** @throws CmcpError `USAGE` for a gateway of another machine */
function allowDevelopment({ hostname, host }: URL, { err }: Terminal): void {
  if (!isLoopback(hostname.replace(/^\[(.*)\]$/, "$1")))
    throw new CmcpError("USAGE", `--development is for a gateway on loopback, such as ${DEVELOPMENT_URL}, not ${host}`);
  err.write(
    `DEVELOPMENT: any program that listens at ${host} is taken for the enclave, so the seal protects nothing. Use no real data.\n`,
  );
}

/** What a command is connected to. */
interface Announced {
  readonly verdict: InstanceVerdict;
  readonly shown: ShownInstance;
}

/** What a client of standard input is bridged to. */
interface Bridged {
  readonly connection: Connection;
  readonly endpoint: URL;
  readonly token: string | null;
}

async function bridge(bridged: Bridged, { out }: Terminal): Promise<void> {
  const ports = {
    ...bridged,
    write: (line: string) => void out.write(`${line}\n`),
    sleep: async (milliseconds: number, signal: AbortSignal) => await setTimeout(milliseconds, undefined, { signal }),
  };
  await new StdioBridge(ports).run(createInterface(process.stdin));
}

/** The path of an MCP endpoint. @throws CmcpError `USAGE` */
function pathOf(workflow: string | undefined, listens: boolean): string {
  if (workflow === undefined) return "mcp";
  if (listens)
    throw new CmcpError("USAGE", "--workflow and --listen: the client names the workflow, at the end of the address");
  if (!WORKFLOW.test(workflow))
    throw new CmcpError("USAGE", "--workflow is letters, digits and ._~-, at most 128, and does not begin with . or ~");
  return `mcp/${workflow}`;
}

function tokenOf(variable: string | undefined, usesDefault: boolean): string | null {
  if (variable !== undefined) return tokenFrom(variable);
  return usesDefault && process.env[TOKEN_VARIABLE] !== undefined ? tokenFrom(TOKEN_VARIABLE) : null;
}

function portOf(listen: string): number {
  const port = /^(?:127\.0\.0\.1|localhost):(\d{1,5})$/.exec(listen)?.[1];
  if (port === undefined || Number(port) > 65_535)
    throw new CmcpError("USAGE", "--listen is 127.0.0.1 and a port, such as 127.0.0.1:8787");
  return Number(port);
}

/** Says what it is connected to; `url` is the local address, `null` where standard output is the client's. */
function announce(url: string | null, { verdict, shown }: Announced, json: boolean, { out, err }: Terminal): void {
  if (json) {
    (url === null ? err : out).write(`${JSON.stringify({ ok: true, url, ...instanceJson(verdict, shown) })}\n`);
    return;
  }
  err.write(`connected (assurance: ${verdict.assurance})\n`);
  for (const line of instanceLines(verdict, shown)) err.write(`${line}\n`);
  if (url !== null) out.write(`${url}\n`);
}
