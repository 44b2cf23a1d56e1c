/** Why a call was decided so, from a real record, by the command as it is shipped. */
import assert from "node:assert/strict";
import { appendFile, cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf, startFixture, type Fixture, type RpcReply } from "../gateway/fixture.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };

describe("policy explain", () => {
  let fixture: Fixture;
  let allowed: string;
  let denied: string;
  let unpermitted: string;
  const at = (...parts: string[]): string => join(fixture.folder, ...parts);

  before(async () => {
    fixture = await startFixture();
    const callId = ({ body }: { body: RpcReply }): string => receiptOf(body).call_id;
    allowed = callId(await fixture.call("send_message", MESSAGE));
    unpermitted = callId(await fixture.call("get-env", {}));
    await fixture.call("get_patient_record", { patient_id: "P-1001" });
    const refused = await fixture.call("send_message", MESSAGE);
    denied = callId(refused);
    const { session_id: session } = receiptOf(refused.body);
    const bundle = await fixture.request(`/audit/export?session_id=${session}`);
    await writeFile(at("bundle.json"), await bundle.text());
    const save = async (name: string, call: object): Promise<void> => await writeFile(at(name), JSON.stringify(call));
    await save("send.json", { tool: "send_message", arguments: MESSAGE });
    await save("echo.json", { tool: "echo", arguments: {} });
    await cp(at("deployment/policies"), at("changed"), { recursive: true });
    await appendFile(at("changed/records.cedar"), "\n// another policy\n");
  });
  after(() => fixture.close());

  const explain = async (callId: string, ...rest: string[]) =>
    await cmcp([
      "policy",
      "explain",
      rest.includes("changed") ? at("changed") : at("deployment/policies"),
      "--catalog",
      at("deployment/catalog.json"),
      "--audit-bundle",
      at("bundle.json"),
      "--call-id",
      callId,
      ...rest.filter((one) => one !== "changed"),
    ]);

  test("a refusal is explained with its rule's place, and with what the record holds", async () => {
    const { code, stdout } = await explain(denied);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^deny, by \S+\n {2}\S+ \(forbid\), records\.cedar:\d+\n/);
    assert.match(stdout, /reads: {2}.*session_max_sensitivity/);
    assert.match(stdout, /label before: hipaa_phi/);
    assert.match(stdout, /the policy given is the one that decided/);
    assert.match(stdout, /the catalog given is the session's/);
  });

  test("with the request the decision is made again, and what would have allowed it is said", async () => {
    const { code, stdout } = await explain(denied, "--request", at("send.json"));
    assert.equal(code, 0, stdout);
    assert.match(stdout, /decided again with --request: deny/);
    assert.match(stdout, /request_payload_hash is salted, and no salt was given/);
    assert.match(stdout, /if the session had seen nothing: allow/);
    const once = await explain(allowed, "--request", at("send.json"));
    assert.match(once.stdout, /decided again with --request: allow/);
  });

  test("a request about another tool than the recorded one is refused", async () => {
    assert.equal((await explain(denied, "--request", at("echo.json"))).code, 64);
  });

  test("another policy than the one that decided is said, with exit code 10", async () => {
    const { code, stdout } = await explain(denied, "changed");
    assert.equal(code, 10);
    assert.match(stdout, /the policy given is not the one that decided: its hash is sha256:/);
  });

  test("every call of the record has an explanation, as JSON too", async () => {
    const { stdout } = await explain(unpermitted, "--json");
    const {
      ok,
      decision,
      rules,
      same_policy: same,
    } = JSON.parse(stdout) as {
      ok: boolean;
      decision: string;
      rules: readonly { label: string; file: string; line: number }[];
      same_policy: boolean;
    };
    assert.deepEqual([ok, decision, same], [true, "deny", true]);
    assert.deepEqual(
      rules.map(({ label }) => label),
      ["deny-environment"],
    );
    assert.ok((rules[0]?.line ?? 0) > 0);
  });

  test("a call that the record does not have, and what is no record, are refused", async () => {
    assert.equal((await explain("00000000-0000-4000-8000-000000000000")).code, 64);
    await writeFile(at("broken.json"), '{"entries": [{"entry_type": "tool_call", "call_id": "x"}]}');
    const broken = await cmcp([
      "policy",
      "explain",
      at("deployment/policies"),
      "--catalog",
      at("deployment/catalog.json"),
      "--audit-bundle",
      at("broken.json"),
      "--call-id",
      "x",
    ]);
    assert.equal(broken.code, 30);
  });
});
