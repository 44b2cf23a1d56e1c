/** `make debug`: the quickstart, or the deployment of CONFIG, with an enclave that a debugger attaches to. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import { deployQuickstart, ROOT } from "../gateway/deployment.ts";
import { startEverythingServer } from "../servers/everything-server.ts";
import { startRecordsServer } from "../servers/records-server.ts";
import { startDebuggedGateway } from "./debugged-gateway.ts";
import { buildDevelopmentEnclave } from "./development-enclave.ts";

/** Where Node's debuggers look first. */
const INSPECTOR_PORT = 9229;
const FOLDER = join(ROOT, ".cache/debug");

/** The quickstart with running tool servers; its configuration, and what ends the servers. */
async function quickstart(): Promise<{ readonly config: string; readonly close: () => Promise<unknown> }> {
  const everything = await startEverythingServer();
  const records = await startRecordsServer();
  const config = await deployQuickstart(join(FOLDER, "quickstart"), {
    everythingPort: everything.port,
    recordsPort: records.port,
    recordsFingerprint: records.fingerprint,
  });
  return { config, close: async () => await Promise.all([everything.close(), records.close()]) };
}

const own = process.env["CONFIG"] ?? "";
const deployment = own === "" ? await quickstart() : { config: own, close: async () => {} };
const token = process.env["CMCP_BEARER_TOKEN"] ?? randomBytes(32).toString("base64url");
const entry = await buildDevelopmentEnclave(join(FOLDER, "enclave"));
const host = await startDebuggedGateway(
  deployment.config,
  { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: token },
  { entry, inspectorPort: INSPECTOR_PORT, log: process.stderr },
);
process.stdout.write(
  `MCP       http://${host.address.host}:${host.address.port}/mcp\ntoken     ${token}\ndebugger  127.0.0.1:${INSPECTOR_PORT}\n`,
);
await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
await host.close();
await deployment.close();
