/** `cmcp provision`: an enclave that nobody can call until whoever the launch document names has verified it and given it its secrets. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { RECEIPT_META_KEY, receiptSchema, type Receipt } from "@cmcp/audit/schema";
import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { preset } from "@cmcp/appraise";
import { provision, type Secrets } from "@cmcp/client";
import type { ProvisionReceipt } from "@cmcp/provision";
import type { Verdict } from "@cmcp/verify";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { startGateway, type Gateway } from "../gateway/gateway.ts";
import { eventually, newToken, tokenLine } from "../gateway/principals.ts";
import { newProvisioner, tokensOf } from "../gateway/provisioner.ts";
import { startChangingServer, type ChangingServer } from "../servers/changing-server.ts";

const [FIRST, SECOND] = ["first-secret-of-the-ledger", "second-secret-of-the-ledger"];
const EXPECTED = { appraisal: preset("strict"), allowSoftwareOnly: true };

describe("cmcp provision", () => {
  const [provisioner, stranger] = [newProvisioner(), newProvisioner()];
  const [token, other] = [newToken(), newToken()];
  let folder = "";
  let config = "";
  let gateway: Gateway;
  let ledger: ChangingServer;
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-provision-"));
    ledger = await startChangingServer("ledger");
    config = await deploy(file("deployment"), {
      tools: [{ name: "ledger", url: ledger.url }],
      servers: [{ name: "ledger", url: ledger.url, credential: "ledger-token" }],
      policies: ALLOW_ALL,
      config: `enclave: {provisioning_keys: [${provisioner.publicKey}], principals: [{id: agent}]}\n`,
    });
    for (const [name, { privateKey }] of [
      ["provisioning.pem", provisioner],
      ["stranger.pem", stranger],
    ] as const)
      await writeFile(file(name), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    await secrets([token], FIRST);
    gateway = await startGateway(config, { CMCP_DEV_MODE: "1" });
  });
  after(async () => {
    await gateway?.stop();
    await ledger?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const secrets = async (tokens: readonly string[], credential: string): Promise<void> => {
    await writeFile(file("tokens"), tokens.map((one) => tokenLine("agent", one)).join(""), { mode: 0o600 });
    await writeFile(file("credentials"), `ledger-token ${credential}\n`, { mode: 0o600 });
  };
  const run = async (changes: Readonly<Record<string, string>> = {}, ...flags: string[]): Promise<CommandResult> => {
    const named = {
      url: gateway.url,
      key: file("provisioning.pem"),
      tokens: file("tokens"),
      credentials: file("credentials"),
      ...changes,
    };
    const options = Object.entries(named).flatMap(([name, value]) => [`--${name}`, value]);
    return await cmcp(["provision", ...options, "--json", ...flags]);
  };
  const accepting = async (changes: Readonly<Record<string, string>> = {}): Promise<CommandResult> =>
    await run(changes, "--allow-software-only", "--launch-digest", gateway.launch_digest.replace("sha256:", ""));
  const codeOf = ({ code, stdout }: CommandResult): readonly [number, string] => [
    code,
    (JSON.parse(stdout) as { error?: { code: string } }).error?.code ?? "",
  ];
  const ready = async (): Promise<boolean> => (await fetch(`${gateway.url}/readyz`)).status === 200;
  const called = async (bearer: string): Promise<Receipt> => {
    const client = new Client({ name: "agent", version: "1" });
    const headers = { authorization: `Bearer ${bearer}` };
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers } }));
    try {
      const result = await client.callTool({ name: "ledger", arguments: {} });
      return receiptSchema.parse(result._meta?.[RECEIPT_META_KEY]);
    } finally {
      await client.close();
    }
  };

  /** The session of a receipt says whose set came back, and `cmcp verify` finds that provisioning in the log. */
  const restored = async ({ session_id: session }: Receipt, given: ProvisionReceipt) => {
    const headers = { authorization: `Bearer ${other}` };
    const closed = await fetch(`${gateway.url}/sessions/${session}/close`, { method: "POST", headers });
    await writeFile(file("claim.json"), await closed.text());
    const bundle = await fetch(`${gateway.url}/audit/export?session_id=${session}`, { headers });
    await writeFile(file("restored.json"), await bundle.text());
    const store = file("deployment/audit.db");
    assert.equal((await cmcp(["log", "export", "--store", store, file("log")])).code, 0);
    const record = [file("claim.json"), "--audit-bundle", file("restored.json"), "--log", file("log")];
    const { code, stdout } = await cmcp(["verify", ...record, "--allow-software-only", "--json"]);
    const { conditions, checks } = JSON.parse(stdout) as Verdict;
    assert.deepEqual([code, conditions.storage], [0, "operator-readable"], stdout);
    assert.deepEqual(conditions.restoredFrom, [given.provision_hash]);
    const said = checks.filter(({ name }) => name.startsWith("stor")).map(({ name, status }) => `${name} ${status}`);
    assert.deepEqual(said, ["storage not-performed", "stored set in log passed"]);
    const whole = await cmcp(["log", "verify", file("log"), "--json"]);
    assert.match(whole.stdout, /of which a storage key brought 1 back/);
  };

  test("the gateway is up and serves nobody, and says why", async () => {
    await assert.rejects(called(token), /NOT_PROVISIONED|no tokens yet|503/);
    assert.deepEqual(await (await fetch(`${gateway.url}/readyz`)).json(), { ready: false, why: "NOT_PROVISIONED" });
    assert.equal((gateway as unknown as Record<string, unknown>)["bearer_principals"], "signed-statements");
    process.kill(gateway.pid, "SIGHUP");
    await eventually("the host has nothing to read", () => gateway.log().includes("nothing to read again"));
  });

  test("sends nothing to an enclave that is not accepted, and nothing of a stranger's is taken", async () => {
    assert.deepEqual(codeOf(await run()), [10, "INSTANCE_NOT_ACCEPTED"]);
    const pins = ["--allow-software-only", "--launch-digest", "0".repeat(64)];
    assert.deepEqual(codeOf(await run({}, ...pins)), [10, "INSTANCE_NOT_ACCEPTED"]);
    assert.deepEqual(codeOf(await accepting({ key: file("stranger.pem") })), [10, "PROVISION_STATEMENT_INVALID"]);
    await writeFile(file("none"), "", { mode: 0o600 });
    assert.deepEqual(codeOf(await accepting({ credentials: file("none") })), [10, "CREDENTIAL_NOT_PROVISIONED"]);
    for (const [changes, why] of [
      [{ sequence: "0" }, "a sequence that is none"],
      [{ url: "ftp://x" }, "no gateway's address"],
      [{ key: file("tokens") }, "no key"],
    ] as const)
      assert.deepEqual(codeOf(await accepting(changes)), [64, "USAGE"], why);
    assert.equal(await ready(), false);
  });

  test("gives its secrets to the enclave alone: a real client is served, and the server is shown the credential", async () => {
    const { code, stdout, stderr } = await accepting();
    assert.equal(code, 0, `${stdout}${stderr}`);
    const receipt = await called(token);
    assert.equal(ledger.authorizations.at(-1), `Bearer ${FIRST}`);
    assert.ok(await ready());
    const exported = await fetch(`${gateway.url}/audit/export?session_id=${receipt.session_id}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await writeFile(file("bundle.json"), await exported.text());
    const { keys } = JSON.parse(stdout) as { keys: { signing: string } };
    const pins = ["--trusted-key", keys.signing, "--allow-software-only", "--require-signed-provisioning"];
    const verified = await cmcp(["audit", "verify", file("bundle.json"), ...pins]);
    assert.equal(verified.code, 0, verified.stdout);
    for (const secret of [FIRST, token, createHash("sha256").update(token).digest("hex")])
      assert.ok(!gateway.log().includes(secret));
  });

  test("rotates tokens and credentials without a restart; an older sequence changes nothing", async () => {
    await secrets([token, other], SECOND);
    assert.equal((await accepting()).code, 0);
    for (const bearer of [token, other]) await called(bearer);
    assert.equal(ledger.authorizations.at(-1), `Bearer ${SECOND}`);
    await secrets([other], SECOND);
    assert.deepEqual(codeOf(await accepting({ sequence: "7" })), [10, "PROVISION_STATEMENT_REPLAYED"]);
    await called(token);
    assert.equal((await accepting()).code, 0);
    await assert.rejects(called(token), /UNAUTHENTICATED|401|[Uu]nauthorized/);
    await called(other);
  });

  test("an enclave that starts again is provisioned again", async () => {
    process.kill(gateway.enclave_pid, "SIGKILL");
    await eventually("the enclave is gone", async () => !(await ready()));
    await eventually("another one is up", async () => (await fetch(`${gateway.url}/attestation`)).status === 200);
    assert.equal(await ready(), false);
    await assert.rejects(called(other), /NOT_PROVISIONED|no tokens yet|503/);
    assert.equal((await accepting()).code, 0);
    await called(other);
  });

  test("with a storage key the log has the set, and after a restart the key alone brings it back", async () => {
    const made = await cmcp(["key", "new", file("storage.key"), "--storage", "--json"]);
    assert.deepEqual([made.code, JSON.parse(made.stdout)], [0, { ok: true, file: file("storage.key") }]);
    assert.equal((await stat(file("storage.key"))).mode & 0o777, 0o600);
    const storage_key = (await readFile(file("storage.key"), "utf8")).trim();
    const storing = { "storage-key": file("storage.key") };
    let provision_hash = `sha256:${"0".repeat(64)}`;
    const onlyKey = async (key = file("storage.key"), ...flags: string[]): Promise<CommandResult> =>
      await cmcp([
        "provision",
        `--url=${gateway.url}`,
        `--key=${file("provisioning.pem")}`,
        "--stored",
        `--storage-key=${key}`,
        `--provision-hash=${provision_hash}`,
        `--launch-digest=${gateway.launch_digest.replace("sha256:", "")}`,
        "--allow-software-only",
        "--json",
        ...flags,
      ]);
    assert.deepEqual(codeOf(await onlyKey()), [10, "STORED_SET_MISSING"]);
    const given = await accepting(storing);
    assert.equal(given.code, 0, `${given.stdout}${given.stderr}`);
    assert.equal((JSON.parse(given.stdout) as { storage: unknown }).storage, "operator-readable");
    const { receipt: first } = JSON.parse(given.stdout) as { receipt: ProvisionReceipt };
    const before = gateway.log();
    assert.equal(await gateway.stop(), 0);
    gateway = await startGateway(config, { CMCP_DEV_MODE: "1" });
    await assert.rejects(called(other), /NOT_PROVISIONED|no tokens yet|503/);
    assert.deepEqual(codeOf(await onlyKey()), [10, "STORED_SET_OTHER"]);
    provision_hash = "sha256:1";
    assert.deepEqual(codeOf(await onlyKey()), [64, "USAGE"]);
    assert.deepEqual(codeOf(await accepting({ "provision-hash": first.provision_hash })), [64, "USAGE"]);
    ({ provision_hash } = first);
    await writeFile(file("another.key"), `${"A".repeat(43)}\n`, { mode: 0o600 });
    assert.deepEqual(codeOf(await onlyKey(file("another.key"))), [10, "STORED_SET_NOT_OPENED"]);
    await writeFile(file("open.key"), storage_key, { mode: 0o644 });
    for (const [key, flags] of [
      [file("open.key"), []],
      [file("tokens"), []],
      [file("storage.key"), ["--tokens", file("tokens")]],
    ] as const) {
      const { code, stdout } = await onlyKey(key, ...flags);
      assert.equal(code === 0, false, stdout);
      assert.ok(!stdout.includes(storage_key));
    }
    const back = await onlyKey();
    assert.equal(back.code, 0, `${back.stdout}${back.stderr}`);
    await restored(await called(other), first);
    assert.equal(ledger.authorizations.at(-1), `Bearer ${SECOND}`);
    const { receipt } = await provision(
      new URL(gateway.url),
      EXPECTED,
      { storage_key, provision_hash },
      { signer: provisioner, crypto: nodeCrypto },
    );
    assert.ok(
      receipt.provision_sequence > (JSON.parse(back.stdout) as { receipt: typeof receipt }).receipt.provision_sequence,
    );
    const written = [Buffer.from(before), Buffer.from(gateway.log())];
    for (const entry of await readdir(file("deployment"), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) written.push(await readFile(join(entry.parentPath, entry.name)));
    assert.ok(
      written.some((bytes) => bytes.includes("cmcp-leaf-v1")),
      "the store is among the files",
    );
    for (const secret of [storage_key, SECOND, createHash("sha256").update(other).digest("hex")])
      assert.ok(!written.some((bytes) => bytes.includes(secret)));
  });

  test("a host that answers in place of the enclave is found out", async () => {
    const given: Secrets = {
      tokens: tokensOf(["agent", other]).tokens,
      credentials: [{ name: "ledger-token", value: SECOND }],
    };
    const url = new URL(gateway.url);
    const through = async (lie: (answer: Response) => Response | Promise<Response>): Promise<string> => {
      const lying: typeof fetch = async (input, init) => {
        const answer = await fetch(input, init);
        return init?.method === "POST" ? await lie(answer) : answer;
      };
      const options = { signer: provisioner, crypto: nodeCrypto, fetch: lying };
      return await provision(url, EXPECTED, given, options).then(
        () => "taken",
        (thrown: unknown) => (thrown as { readonly code: string }).code,
      );
    };
    let earlier = "";
    assert.equal(
      await through(async (answer) => {
        earlier = await answer.text();
        return new Response(earlier);
      }),
      "taken",
    );
    const { receipt, signature } = JSON.parse(earlier) as { receipt: object; signature: string };
    for (const [what, answer] of [
      ["the receipt of an earlier statement", new Response(earlier)],
      ["no receipt", new Response("{}")],
      ["no JSON", new Response("ok")],
      ["nothing", new Response(null, { status: 502 })],
      ["too much", new Response("x".repeat(65 * 1024))],
      ["an unknown error", Response.json({ error: { code: "NO_SUCH_CODE", message: "x" } }, { status: 500 })],
    ] as const)
      assert.equal(await through(() => answer), "PROVISION_NOT_CONFIRMED", what);
    for (const [what, change] of [
      ["another signature", { signature: `${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}` }],
      ["another record", { receipt: { ...receipt, provision_hash: `sha256:${"0".repeat(64)}` } }],
      ["another instance", { receipt: { ...receipt, instance: "A".repeat(43) } }],
    ] as const)
      assert.equal(
        await through(async (answer) => Response.json({ ...((await answer.json()) as object), ...change })),
        "PROVISION_NOT_CONFIRMED",
        what,
      );
    const refusal = { error: { code: "TOKEN_REBOUND", message: "another's" } };
    assert.equal(await through(() => Response.json(refusal, { status: 409 })), "TOKEN_REBOUND");
  });
});
