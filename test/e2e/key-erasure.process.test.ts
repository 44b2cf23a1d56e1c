/** A session's key for auditors is erased from a real gateway's store: who may, what is gone, and what stays proven. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readRecord } from "@cmcp/audit";
import type { AuditBundle, Receipt } from "@cmcp/audit/schema";
import { untrusted } from "@cmcp/boundary";
import { SqliteStore } from "../../host-proxy/src/store/sqlite/sqlite-store.ts";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { startGateway } from "../gateway/gateway.ts";
import { newOperator } from "../gateway/operator.ts";
import { startDeployment, type Deployment } from "../gateway/principals.ts";

const NOBODYS = "11111111-1111-4111-8111-111111111111";

describe("a session's key for auditors", () => {
  const [operator, stranger] = [newOperator(), newOperator()];
  let folder = "";
  let deployment: Deployment;
  let store = "";
  let erased: Receipt;
  let kept: Receipt;
  let sealed: readonly string[] = [];
  const file = (name: string): string => join(folder, name);
  const agent = (): ReturnType<Deployment["agent"]> => deployment.agent(deployment.tokenOf("alice"));
  const call = async (label: string): Promise<Receipt> =>
    receiptOf((await agent().call("get_patient_record", { patient_id: "P-1001" }, { label })).body);
  const fetched = async (path: string, name: string, method = "GET"): Promise<void> => {
    const { text, status } = await agent().request(path, { method });
    assert.equal(status, 200, text);
    await writeFile(file(name), text);
  };
  const exported = async (name: string): Promise<string> => {
    const { code, stderr } = await cmcp(["log", "export", "--store", store, file(name)]);
    assert.equal(code, 0, stderr);
    return file(name);
  };
  const disclose = async (of: Receipt, log: string, out: string): Promise<CommandResult> => {
    const named = ["--session", of.session_id, "--call", of.call_id, "--key", file("auditor.pem"), "--out", file(out)];
    return await cmcp(["audit", "disclose", log, ...named]);
  };
  const record = async (changes: Readonly<Record<string, string>> = {}): Promise<CommandResult> => {
    const named = {
      url: deployment.gateway.url,
      key: file("operator.pem"),
      session: erased.session_id,
      reason: "erasure request 17",
      instance: erased.instance,
      ...changes,
    };
    return await cmcp(["session", "erase-key", ...Object.entries(named).flatMap(([name, one]) => [`--${name}`, one])]);
  };
  const erase = async (...more: string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await cmcp(["log", "erase-keys", "--json", ...more]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  /** The sealed keys of a session, as the store has them. */
  const sealedKeys = async ({ session_id: session }: Receipt): Promise<string[]> => {
    const opened = new SqliteStore(store, { durable: true });
    const found: string[] = [];
    for await (const piece of opened.scan({ session, kind: "session-key" }))
      for (const { header, body } of piece) {
        const read = readRecord(untrusted(header), untrusted(body));
        if (read?.kind === "session-key") found.push(...read.body.keys.map((one) => one.sealed));
      }
    await opened.close();
    return found;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-erasure-"));
    for (const [name, one] of [
      ["operator.pem", operator],
      ["stranger.pem", stranger],
    ] as const)
      await writeFile(file(name), one.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    const made = await cmcp(["key", "new", file("auditor.pem"), "--auditor", "--json"]);
    const { public_key: auditor } = JSON.parse(made.stdout) as { readonly public_key: string };
    const settings = [`operator_keys: [${operator.publicKey}]\nlog:\n  auditors: [${auditor}]`];
    deployment = await startDeployment({ alice: null }, settings, startGateway);
    store = join(deployment.folder, "deployment/audit.db");
    [erased, kept] = [await call("erased"), await call("kept")];
    await writeFile(file("receipt.json"), JSON.stringify(erased));
    await fetched(`/audit/export?session_id=${erased.session_id}`, "bundle.json");
    await fetched(`/sessions/${erased.session_id}/close`, "claim.json", "POST");
    await fetched(`/sessions/${erased.session_id}/evidence`, "evidence.json");
    sealed = await sealedKeys(erased);
    assert.equal(sealed.length, 1);
    const backedUp = new SqliteStore(store, { durable: true });
    await backedUp.backUp(file("backup.db"));
    await backedUp.close();
  });
  after(async () => {
    await deployment?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("is there until an operator has recorded its erasure, and nobody else can", async () => {
    assert.equal((await disclose(erased, await exported("before"), "before.json")).code, 0);
    for (const [changes, code] of [
      [{ key: file("stranger.pem") }, "OPERATOR_STATEMENT_INVALID"],
      [{ instance: "A".repeat(43) }, "OPERATOR_STATEMENT_MISMATCH"],
      [{ session: NOBODYS }, "NOT_FOUND"],
    ] as const) {
      const refused = await record(changes);
      assert.deepEqual([refused.code, refused.stderr.includes(code)], [10, true], refused.stderr);
    }
    assert.deepEqual(await erase("--store", store), { ok: true, sessions: 0, erased: 0 });
    assert.equal((await sealedKeys(erased)).length, 1);
  });

  test("is erased from the store, and only it is", async () => {
    const recorded = await record({ sequence: "5" });
    assert.equal(recorded.code, 0, recorded.stderr);
    const again = await record({ sequence: "5" });
    assert.deepEqual([again.code, again.stderr.includes("OPERATOR_STATEMENT_REPLAYED")], [10, true]);
    assert.deepEqual(await erase("--store", store), { ok: true, sessions: 1, erased: 1 });
    assert.deepEqual(await erase("--store", store), { ok: true, sessions: 1, erased: 0 });
    assert.deepEqual([(await sealedKeys(erased)).length, (await sealedKeys(kept)).length], [0, 1]);
    for (const name of await readdir(join(deployment.folder, "deployment")))
      if (name.startsWith("audit.db"))
        for (const key of sealed)
          assert.ok(!(await readFile(join(deployment.folder, "deployment", name))).includes(key), name);
  });

  test("leaves every proof, and opens nothing of its session", async () => {
    const log = await exported("after");
    const opened = await disclose(erased, log, "none.json");
    assert.deepEqual([opened.code, opened.stderr.includes("was erased, as the log records")], [10, true]);
    assert.equal((await disclose(kept, log, "kept.json")).code, 0);
    const held = ["--receipt", file("receipt.json"), "--allow-software-only"];
    for (const command of [
      ["log", "verify", log, "--earlier-checkpoint", join(file("before"), "checkpoint")],
      ["log", "fsck", "--store", store, "--earlier-checkpoint", join(file("before"), "checkpoint")],
      ["verify", file("claim.json"), ...held, "--log", log, "--evidence", file("evidence.json")],
      ["audit", "verify", file("bundle.json"), ...held, "--disclosure", file("before.json")],
    ]) {
      const { code, stdout, stderr } = await cmcp(command);
      assert.equal(code, 0, `${command.join(" ")}: ${stdout}${stderr}`);
    }
  });

  test("is erased from a copy that is older than the record of it", async () => {
    assert.deepEqual(await erase("--store", file("backup.db")), { ok: true, sessions: 0, erased: 0 });
    const later = ["--store", file("backup.db"), "--log", file("after")];
    assert.deepEqual(await erase(...later), { ok: true, sessions: 1, erased: 1 });
    const bytes = await readFile(file("backup.db"));
    for (const key of sealed) assert.ok(!bytes.includes(key));
    assert.equal((await cmcp(["log", "fsck", "--store", file("backup.db")])).code, 0);
  });

  test("is no gap in the past of the next start", async () => {
    await deployment.killEnclave();
    const receipt = await call("next");
    await fetched(`/audit/export?session_id=${receipt.session_id}`, "next.json");
    const [root] = (JSON.parse(await readFile(file("next.json"), "utf8")) as AuditBundle).entries;
    assert.deepEqual(root?.detail?.["history"], "complete");
    await fetched(`/audit/export?session_id=${erased.session_id}`, "again.json");
  });
});
