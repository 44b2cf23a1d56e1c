/** Ten servers that others publish behind one gateway, called by clients that others wrote. No model is called. */
import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { cmcp } from "../gateway/cli.ts";
import { ROOT } from "../gateway/deployment.ts";
import { startGateway, StartRefused, type Gateway } from "../gateway/gateway.ts";
import { FRAMEWORKS } from "./frameworks.ts";
import { PUBLISHED_SERVERS, pythonWithPip } from "./published-servers.ts";

const EMAIL = ["--approved-by", "you@example.com"];
/** How long adding one server may take: its packages come over the network. */
const ADD_MS = 600_000;

/** Starts the deployment, in development where the machine confines nothing. */
async function started(config: string): Promise<Gateway> {
  return await startGateway(config, {}).catch(async (thrown: unknown) => {
    if (!(thrown instanceof StartRefused) || !/"(?:ISOLATION|SPAWN)_UNAVAILABLE"/.test(thrown.output)) throw thrown;
    return await startGateway(config, { CMCP_DEV_MODE: "1" });
  });
}

suite("ten published servers behind one gateway", () => {
  let folder = "";
  let gateway: Gateway | undefined;
  let token = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-published-"));
    await chmod(folder, 0o755);
    const made = join(folder, "gateway");
    const config = join(made, "cmcp-config.yaml");
    assert.equal((await cmcp(["init", made, ...EMAIL, "--listen", "127.0.0.1:0"])).code, 0);
    // One agent uses all of them at one time.
    const written = await readFile(config, "utf8");
    await writeFile(config, written.replace("enclave:\n", "enclave:\n  stdio:\n    max_processes_per_principal: 32\n"));
    for (const { source, options, call } of PUBLISHED_SERVERS) {
      const python = source.startsWith("uvx:") ? ["--python", pythonWithPip()] : [];
      const args = ["--config", config, ...EMAIL, ...options, ...python, "--read", call.tool, "--json"];
      const { code, stdout, stderr } = await cmcp(["server", "add", source, ...args], {}, ADD_MS);
      assert.equal(code, 0, source + stdout + stderr);
    }
    gateway = await started(config);
    token = (await readFile(join(made, "agent-token"), "utf8")).trim();
  });
  after(async () => {
    await gateway?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  for (const { name, agent, mode, protocol } of FRAMEWORKS)
    test(`${name} calls each of them (${protocol})`, async () => {
      assert.ok(gateway !== undefined);
      const calls = PUBLISHED_SERVERS.map(({ call }) => call);
      const run = await agent({ url: gateway.mcp, token, mode, listOnce: true, calls });
      assert.deepEqual([run.protocol, run.end], [protocol, "done"]);
      for (const [index, { source, answer }] of PUBLISHED_SERVERS.entries())
        assert.match(run.answers[index]?.text ?? "", answer, source);
    });

  test("the page of published servers has each, in the version that is tried", async () => {
    const page = await readFile(join(ROOT, "docs/reference/published-servers.md"), "utf8");
    for (const { source, options } of PUBLISHED_SERVERS)
      assert.ok(page.includes(`| \`${[source, ...options].join(" ")}\` |`), source);
  });
});
