/** What tool servers ask of the gateway itself. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { StartRefused, developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { startChangingServer, type ChangingServer } from "../servers/changing-server.ts";

const TOKEN = "token-of-the-agent-0123456789abcdefghij";
const FIRST = "first-secret-of-the-ledger";
const SECOND = "second-secret-of-the-ledger";

describe("a server that wants a credential", { timeout: 60_000 * PATIENCE }, () => {
  let folder = "";
  let config = "";
  let ledger: ChangingServer;
  let notes: ChangingServer;
  let gateway: Gateway;
  const credentials = async (text: string): Promise<void> =>
    await writeFile(join(folder, "credentials"), text, { mode: 0o600 });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-credentials-"));
    [ledger, notes] = await Promise.all([startChangingServer("ledger"), startChangingServer("notes")]);
    const tools = [ledger, notes].map(({ url }, index) => ({ name: index === 0 ? "ledger" : "notes", url }));
    config = await deploy(folder, {
      tools,
      servers: [{ name: "ledger", url: ledger.url, credential: "ledger-token" }],
      policies: ALLOW_ALL,
      config: "enclave: {credentials_file: credentials}\n",
    });
    await credentials(`ledger-token ${FIRST}\n`);
    gateway = await startGateway(config, developmentEnvironment(TOKEN));
  });
  after(async () => {
    await gateway?.stop();
    await Promise.all([ledger, notes].map((server) => server?.close()));
    await rm(folder, { recursive: true, force: true });
  });

  const call = async (name: string): Promise<string> => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } });
    return await (
      await fetch(gateway.mcp, {
        method: "POST",
        headers: {
          authorization: `Bearer ${TOKEN}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        },
        body,
      })
    ).text();
  };

  test("gets its own with every request, and no other server and no agent's token is in it", async () => {
    assert.match(await call("ledger"), /found/);
    assert.match(await call("notes"), /found/);
    assert.deepEqual([...new Set(ledger.authorizations)], [`Bearer ${FIRST}`]);
    assert.deepEqual([...new Set(notes.authorizations)], [undefined]);
  });

  test("gets another one after SIGHUP; what cannot be accepted changes nothing", async () => {
    const replaced = async (text: string, said: RegExp): Promise<void> => {
      await credentials(text);
      process.kill(gateway.pid, "SIGHUP");
      for (let attempt = 0; !said.test(gateway.log()); attempt += 1) {
        assert.ok(attempt < 100, gateway.log());
        await sleep(50);
      }
    };
    await replaced(
      "other-token x\n",
      /not replaced: CREDENTIAL_NOT_PROVISIONED: the catalog names the credential ledger-token/,
    );
    await replaced(
      `ledger-token ${FIRST}\nother-token x\n`,
      /not replaced: CONFIG_INVALID: no server of the catalog is sent the credential other-token/,
    );
    await replaced(`ledger-token ${SECOND}\n`, /credentials replaced/);
    assert.match(await call("ledger"), /found/);
    assert.equal(ledger.authorizations.at(-1), `Bearer ${SECOND}`);
    assert.ok(
      ledger.authorizations.slice(0, -1).every((seen) => seen === `Bearer ${FIRST}` || seen === `Bearer ${SECOND}`),
    );
    for (const secret of [FIRST, SECOND, TOKEN]) assert.ok(!gateway.log().includes(secret));
  });

  test("refuses the start without it", async () => {
    await credentials("# none\n");
    await assert.rejects(
      startGateway(config, developmentEnvironment(TOKEN)),
      (thrown) => thrown instanceof StartRefused && /CREDENTIAL_NOT_PROVISIONED/.test(thrown.output),
    );
  });
});
