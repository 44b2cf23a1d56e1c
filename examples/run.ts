/**
 * Runs an example: its tool servers, the gateway as an operator starts it, its agent, and `cmcp verify` over what the
 * agent's session leaves. `make example NAME=quickstart`. What it deploys and leaves is in `out/examples/NAME`.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { cmcp } from "../test/gateway/cli.ts";
import { deployQuickstart, listenOnAnyPort, ROOT } from "../test/gateway/deployment.ts";
import { developmentEnvironment, startGateway } from "../test/gateway/gateway.ts";
import { deployThreeServers } from "../test/gateway/three-servers.ts";
import { startEverythingServer } from "../test/servers/everything-server.ts";
import { startRecordsServer } from "../test/servers/records-server.ts";

/** A deployed example. */
interface Deployed {
  readonly config: string;
  /** What the gateway is told. */
  readonly gateway: Record<string, string>;
  /** What the agent is told, beside the gateway's URL. */
  readonly agent: Record<string, string>;
}

/** What is ended when the example is over, the last first. */
type Ending = (() => Promise<unknown>)[];

const EXAMPLES: Readonly<Record<string, (folder: string, ending: Ending) => Promise<Deployed>>> = {
  quickstart: async (folder, ending) => {
    const everything = await startEverythingServer();
    ending.push(() => everything.close());
    const records = await startRecordsServer();
    ending.push(() => records.close());
    const config = await deployQuickstart(folder, {
      everythingPort: everything.port,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
    return withToken(config);
  },
  "resources-and-prompts": async (folder, ending) => {
    const everything = await startEverythingServer();
    ending.push(() => everything.close());
    await cp(join(ROOT, "examples/resources-and-prompts"), folder, { recursive: true });
    const catalog = join(folder, "catalog.json");
    const text = await readFile(catalog, "utf8");
    await writeFile(catalog, text.replaceAll("127.0.0.1:3001", `127.0.0.1:${everything.port}`));
    return withToken(join(folder, "cmcp-config.yaml"));
  },
  "several-servers": async (folder, ending) => {
    const everything = await startEverythingServer();
    ending.push(() => everything.close());
    const deployment = await deployThreeServers(folder, everything.port);
    ending.push(() => deployment.clean());
    const { config, tokens, scratch } = deployment;
    return {
      config,
      gateway: { CMCP_DEV_MODE: "1" },
      agent: { CMCP_ALICE: tokens.alice, CMCP_BOB: tokens.bob, CMCP_SCRATCH: scratch },
    };
  },
};

function withToken(config: string): Deployed {
  const token = randomBytes(32).toString("base64url");
  return { config, gateway: developmentEnvironment(token), agent: { CMCP_BEARER_TOKEN: token } };
}

/** Runs the example's agent in its folder; the exit code. */
async function runAgent(name: string, folder: string, env: Record<string, string>): Promise<number | null> {
  const agent = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(ROOT, "examples", name, "agent.ts")],
    { cwd: folder, env: { ...process.env, ...env }, stdio: "inherit" },
  );
  return await new Promise((resolve, reject) => agent.once("error", reject).once("exit", resolve));
}

/** What an auditor does with what the session left; the exit code. */
async function audit(folder: string): Promise<number> {
  const verified = await cmcp([
    "verify",
    join(folder, "claim.json"),
    "--audit-bundle",
    join(folder, "audit-bundle.json"),
    "--allow-software-only",
  ]);
  process.stdout.write(verified.stdout + verified.stderr);
  return verified.code;
}

async function run(name: string): Promise<number> {
  const deploy = EXAMPLES[name];
  if (deploy === undefined) throw new Error(`NAME is one of ${Object.keys(EXAMPLES).join(", ")}`);
  const folder = join(ROOT, "out/examples", name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const ending: Ending = [];
  try {
    const deployed = await deploy(folder, ending);
    await listenOnAnyPort(deployed.config);
    const gateway = await startGateway(deployed.config, deployed.gateway);
    ending.push(() => gateway.stop());
    const code = await runAgent(name, folder, { ...deployed.agent, CMCP_URL: gateway.url });
    return code === 0 ? await audit(folder) : 1;
  } finally {
    for (const end of ending.toReversed()) await end();
  }
}

process.exitCode = await run(process.argv[2] ?? "");
