/** Payloads of a real gateway, kept for auditors: what they open, what the host holds, and what an export without a key still proves. */
import assert from "node:assert/strict";
import { appendFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { AuditBundle, DisclosedCall, Receipt } from "@cmcp/audit/schema";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway } from "../gateway/gateway.ts";
import { newOperator, resetAfter } from "../gateway/operator.ts";
import { eventually, newToken, startDeployment, type Deployment } from "../gateway/principals.ts";
import { SENDS, startAskingServer, TELLS } from "../servers/asking-server.ts";

const PATIENT = { patient_id: "P-1001" };

describe("payloads kept for auditors", () => {
  let folder = "";
  let deployment: Deployment;
  let receipt: Receipt;
  let bundle: AuditBundle;
  let log = "";
  const file = (name: string): string => join(folder, name);
  const newKey = async (name: string): Promise<string> => {
    const { stdout, stderr } = await cmcp(["key", "new", file(name), "--auditor", "--json"]);
    assert.notEqual(stdout, "", stderr);
    return (JSON.parse(stdout) as { readonly public_key: string }).public_key;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-disclosure-"));
    const publicKey = await newKey("auditor.pem");
    await newKey("stranger.pem");
    deployment = await startDeployment({ alice: null }, [], async (config, ...rest) => {
      await appendFile(config, `\nlog:\n  auditors: [${publicKey}]\n`);
      return await startGateway(config, ...rest);
    });
    const alice = deployment.agent(deployment.tokenOf("alice"));
    receipt = receiptOf((await alice.call("get_patient_record", PATIENT, { label: "one" })).body);
    const { text, status } = await alice.request(`/audit/export?session_id=${receipt.session_id}`);
    assert.equal(status, 200, text);
    bundle = JSON.parse(text) as AuditBundle;
    await writeFile(file("bundle.json"), text);
    const store = join(deployment.folder, "deployment/audit.db");
    log = file("log");
    assert.equal((await cmcp(["log", "export", "--store", store, log])).code, 0);
  });
  after(async () => {
    await deployment?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const disclose = async (
    key: string,
    out: string,
    call = receipt.call_id ?? "",
    from = log,
  ): Promise<CommandResult> => {
    const asked = ["--session", receipt.session_id, "--call", call, "--key", file(key), "--out", file(out)];
    return await cmcp(["audit", "disclose", from, ...asked]);
  };
  const verify = async (disclosed: string): Promise<CommandResult> =>
    await cmcp([
      "audit",
      "verify",
      file("bundle.json"),
      "--disclosure",
      file(disclosed),
      "--allow-software-only",
      "--json",
    ]);

  test("the root names the auditor, and the host's log verifies and has no payload", async () => {
    const [root] = bundle.entries;
    assert.match(String(root?.detail?.["disclosure"]), /^[A-Za-z0-9_-]{43}$/);
    assert.equal(root?.detail?.["commitments"], "salted");
    const { code, stdout, stderr } = await cmcp(["log", "verify", log]);
    assert.equal(code, 0, stdout + stderr);
    const store = await readFile(join(deployment.folder, "deployment/audit.db"));
    const wal = await readFile(join(deployment.folder, "deployment/audit.db-wal")).catch(() => Buffer.alloc(0));
    for (const text of ["P-1001", "Type 2 diabetes", "Ada Example"])
      assert.equal(store.includes(text) || wal.includes(text), false, text);
  });

  test("an auditor hands one call on, and anybody holds it to its entry", async () => {
    const opened = await disclose("auditor.pem", "call.json");
    assert.equal(opened.code, 0, opened.stderr);
    const disclosed = JSON.parse(await readFile(file("call.json"), "utf8")) as DisclosedCall;
    assert.match(disclosed.fields.request?.text ?? "", /P-1001/);
    assert.match(disclosed.fields.response?.text ?? "", /Type 2 diabetes/);
    assert.match(disclosed.fields.upstream?.text ?? "", /Type 2 diabetes/);
    assert.match(disclosed.fields.cedar?.text ?? "", /"context"/);
    const verdict = await verify("call.json");
    assert.equal(verdict.code, 0, verdict.stdout);
    assert.match(verdict.stdout, /"disclosed call 1 response","status":"passed"/);
  });

  test("a disclosed call that was changed is refused, whichever member was", async () => {
    const { fields, ...rest } = JSON.parse(await readFile(file("call.json"), "utf8")) as DisclosedCall;
    const { request, response } = fields;
    assert.ok(request !== undefined && response !== undefined);
    const text = request.text.replace("P-1001", "P-1002");
    const changes: Record<string, unknown> = {
      text: { ...rest, fields: { ...fields, request: { ...request, text } } },
      salt: { ...rest, fields: { ...fields, request: { ...request, salt: "0".repeat(64) } } },
      field: { ...rest, fields: { ...fields, response: request } },
      call: { ...rest, call_id: "another", fields },
      session: { ...rest, session_id: "11111111-1111-4111-8111-111111111111", fields },
      place: { ...rest, sequence_number: 2, fields },
    };
    for (const [what, changed] of Object.entries(changes)) {
      await writeFile(file("changed.json"), JSON.stringify(changed));
      const { code, stdout } = await verify("changed.json");
      assert.deepEqual([code, stdout.includes("DISCLOSURE_INVALID")], [10, true], what);
    }
    await writeFile(file("changed.json"), "{}");
    const malformed = await verify("changed.json");
    assert.deepEqual([malformed.code, malformed.stdout.includes("DISCLOSURE_MALFORMED")], [30, true]);
  });

  test("without the session's key the log verifies as before, and nothing of the session opens", async () => {
    const erased = file("erased");
    await cp(log, erased, { recursive: true });
    const paths = await readdir(erased, { recursive: true, withFileTypes: true });
    let found = 0;
    for (const path of paths.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))) {
      const lines = (await readFile(path, "latin1")).split("\n");
      const without = lines.map((line) => (line.includes('"v":"cmcp-session-key-v2"') ? "" : line));
      if (without.join("\n") === lines.join("\n")) continue;
      found += 1;
      await writeFile(path, without.join("\n"), "latin1");
    }
    assert.equal(found, 1, "the bodies are in one file");
    const { code, stdout, stderr } = await cmcp(["log", "verify", erased]);
    assert.equal(code, 0, stdout + stderr);
    const opened = await disclose("auditor.pem", "none.json", receipt.call_id ?? "", erased);
    assert.deepEqual([opened.code, opened.stderr.includes("or it was erased")], [10, true]);
    const held = await verify("call.json");
    assert.equal(held.code, 0, "what was disclosed before is still what the entry commits to");
  });

  test("another key, and a call that the log does not have, open nothing", async () => {
    const stranger = await disclose("stranger.pem", "none.json");
    assert.deepEqual([stranger.code, stranger.stderr.includes("not sealed to this auditor")], [10, true]);
    const unknown = await disclose("auditor.pem", "none.json", "another");
    assert.deepEqual([unknown.code, unknown.stderr.includes("no entry of this call")], [10, true]);
    await assert.rejects(readFile(file("none.json")), { code: "ENOENT" });
  });
});

test("a call that runs while its session is reset is disclosed in the session of its entry", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-disclosure-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [key, log, out, exported] = ["auditor.pem", "log", "call.json", "bundle.json"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  const made = await cmcp(["key", "new", key, "--auditor", "--json"]);
  const { public_key: auditor } = JSON.parse(made.stdout) as { readonly public_key: string };
  const [operator, token, server] = [newOperator(), newToken(), await startAskingServer()];
  t.after(() => server.close());
  const config = await deploy(join(folder, "deployment"), {
    tools: [TELLS, SENDS].map((name) => ({ name, url: server.url })),
    policies: ALLOW_ALL,
    config: `audit_db_path: audit.db\nlog:\n  auditors: [${auditor}]\nenclave:\n  operator_keys: [${operator.publicKey}]\n`,
  });
  const gateway = await startGateway(config, developmentEnvironment(token));
  t.after(() => gateway.stop());
  const client = clientOf(gateway, token);

  const first = receiptOf((await client.call(SENDS, "s")).body);
  const running = client.call(TELLS, "s");
  await eventually("the call has reached the server", () => server.reached.includes(TELLS));
  const reset = await fetch(`${gateway.url}/sessions/${first.session_id}/reset`, {
    method: "POST",
    body: JSON.stringify(operator.sign(resetAfter(first, 1))),
    headers: { "content-type": "application/json" },
  });
  assert.equal(reset.status, 200, await reset.text());
  server.release();
  const receipt = receiptOf((await running).body);
  assert.notEqual(receipt.session_id, first.session_id, "its entry is in the successor");
  await client.close(receipt.session_id);
  await writeFile(exported, JSON.stringify(await client.export(receipt.session_id)));

  const store = join(folder, "deployment/audit.db");
  assert.equal((await cmcp(["log", "export", "--store", store, log])).code, 0);
  const named = ["--session", receipt.session_id, "--call", receipt.call_id ?? "", "--key", key, "--out", out];
  const opened = await cmcp(["audit", "disclose", log, ...named]);
  assert.equal(opened.code, 0, opened.stderr);
  const verdict = await cmcp(["audit", "verify", exported, "--disclosure", out, "--allow-software-only", "--json"]);
  assert.equal(verdict.code, 0, verdict.stdout);
  assert.match(verdict.stdout, /"disclosed call \d+ response","status":"passed"/);
  const disclosed = JSON.parse(await readFile(out, "utf8")) as DisclosedCall;
  assert.equal(disclosed.session_id, receipt.session_id);
});
