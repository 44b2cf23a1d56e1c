import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  outputBytes,
  recipientOf,
  sourceScopeOf,
  type DisclosurePermission,
  type SignedPermission,
} from "@cmcp/approval";
import { canonicalBytes, toBase64Url, type JsonObject } from "@cmcp/boundary";
import type { AgentRequest, RpcBody } from "@cmcp/mcp";
import type { GovernedFacts, Verdict } from "@cmcp/policy";
import { answerTo, newApprover, newPasskey, permissionOf, SALT } from "../../../approval/src/testing/statements.ts";
import { DISCLOSURES_PATH, disclosures as endpoint } from "../http/disclosures.ts";
import { approvalsOf, LAUNCH_DIGEST } from "../testing/approvals.ts";
import { policyStub } from "../testing/calls.ts";
import { entriesOf } from "../testing/entries.ts";
import { codeOf, start } from "../testing/pipeline-scene.ts";
import { Disclosures, MAX_OF_OWNER, MAX_OF_WORKLOAD } from "./disclosures.ts";

const [alice, bob, stranger] = [newApprover("alice"), newApprover("bob"), newApprover("stranger")];
const key = newPasskey("ES256");
const ARGS = { q: "the data" };
const SERVER = "http://127.0.0.1:9/mcp";
const OWNERS = { owners: ["alice", "carol", "dave"] };

/** A gateway whose rule `stay` lets nothing leave, and owners who permit it through the endpoint. */
async function scene({
  decide = () => ({ decision: "deny", rule: "stay", disclosure: OWNERS }),
  permits = () => ({}),
  plainAllowed = false,
}: {
  readonly decide?: (facts?: GovernedFacts) => Partial<Verdict>;
  readonly permits?: () => Partial<Verdict>;
  readonly plainAllowed?: boolean;
} = {}) {
  const known = approvalsOf([alice.approver, bob.approver, { id: "carol", passkey: key.passkey }]);
  const { approvers, instance, clock } = known;
  const now = (): number => clock.now;
  const disclosures = new Disclosures(now);
  const policy = policyStub(decide, { decidePermits: () => ({ ...PERMITTED, ...permits() }) });
  let current = policy;
  const started = await start({
    policyNow: () => current,
    approvals: known.ports,
    disclosures: { approvers, disclosures, instance, now },
  });
  const { bundle } = policy;
  let cosigned: Promise<undefined> = Promise.resolve(undefined);
  let random = 0;
  const tokenOf = async (who: typeof alice): Promise<string> => {
    random += 1;
    const said = {
      instance,
      launch_digest: LAUNCH_DIGEST,
      issued_at: Math.floor(now() / 1000),
      random: toBase64Url(new Uint8Array(16).fill(random)),
    };
    return (await approvers.admit(who.access(said))).token;
  };
  const permission = (changes: Partial<DisclosurePermission> = {}, args: JsonObject = ARGS): DisclosurePermission =>
    permissionOf(args, {
      not_before: Math.floor(now() / 1000),
      expires_at: Math.floor(now() / 1000) + 900,
      workload: "alice",
      source_scope: sourceScopeOf(instance, "stay"),
      labels: ["public"],
      recipient: recipientOf(SERVER, "lookup"),
      policy_version: bundle.hash,
      ...changes,
    });
  const send = async (
    signed: SignedPermission | Uint8Array,
    token: string,
    { channel = "sealed", method = "POST" }: { channel?: "plain" | "sealed"; method?: string } = {},
  ): Promise<JsonObject> => {
    const body = signed instanceof Uint8Array ? signed : canonicalBytes(signed);
    const answered = await endpoint(
      {
        approvers,
        disclosures,
        recorder: started.room.recorder,
        sessions: started.room.sessions,
        journal: { assertWritable: () => undefined, cosigned: async () => await cosigned },
        instance,
        policyHash: () => bundle.hash,
        isRecipient: (recipient) => ["lookup", "person"].some((name) => recipientOf(SERVER, name) === recipient),
        now,
        plainAllowed,
      },
      {
        method,
        url: `http://enclave.invalid${DISCLOSURES_PATH}`,
        headers: { get: () => (token === "" ? null : `Bearer ${token}`) },
        body: (async function* () {
          yield await Promise.resolve(body);
        })(),
        whole: () => null,
        signal: new AbortController().signal,
      },
      { channel, authenticated: () => undefined },
    );
    assert.ok(typeof answered.body === "string");
    return JSON.parse(answered.body) as JsonObject;
  };
  const permit = async (changes: Partial<DisclosurePermission> = {}, args: JsonObject = ARGS): Promise<JsonObject> =>
    await send(alice.permit(permission(changes, args)), await tokenOf(alice));
  const call = async (rest: Partial<AgentRequest> = {}): Promise<RpcBody> =>
    await started.run({ arguments: ARGS, ...rest });
  return {
    ...known,
    ...started,
    disclosures,
    tokenOf,
    permission,
    send,
    permit,
    call,
    notes: () =>
      entriesOf(started.store, started.recorded.session.id).filter(({ entry_type: type }) => type === "approval"),
    reload: () => void (current = { ...policy, bundle: { ...bundle, hash: `sha256:${"9".repeat(64)}` } }),
    holdAnswers: (until: Promise<undefined>) => void (cosigned = until),
  };
}

const PERMITTED: Verdict = {
  decision: "allow",
  rule: "p",
  cause: "policy",
  reason: null,
  redactFields: [],
  keepFields: [],
};

function checkOf(body: RpcBody): unknown {
  assert.ok("error" in body, JSON.stringify(body));
  const { disclosure } = body.error.data ?? {};
  return (disclosure as JsonObject | undefined)?.["check"];
}
const delivered = (body: RpcBody): boolean => "result" in body;
const ONE = "02".repeat(32);

void describe("a call that lets data leave", () => {
  void it("is refused, sent once under an owner's permission, and refused after that", async () => {
    const { call, permit, upstreams, entries, notes } = await scene();
    assert.equal(codeOf(await call()), "DISCLOSURE_REQUIRED");
    await permit();
    assert.equal(upstreams.sent.length, 0);
    assert.ok(delivered(await call()));
    assert.equal(upstreams.sent.length, 1);
    const [arrival, use] = notes();
    assert.deepEqual([arrival?.call_id, arrival?.detail?.["approver"]], [null, "alice"]);
    const sent = entries().at(-1);
    assert.deepEqual(
      [
        sent?.policy_decision,
        sent?.policy_rule_matched,
        sent?.detail?.["disclosed_by"],
        sent?.detail?.["disclosure_id"],
      ],
      ["allow", "stay", "alice", use?.detail?.["disclosure_id"]],
    );
    assert.equal(use?.call_id, sent?.call_id);
    for (const entry of [...notes(), ...entries()])
      assert.ok(!JSON.stringify(entry).includes(SALT), "the salt is in no record");
    const again = await call();
    assert.deepEqual([codeOf(again), checkOf(again)], ["DISCLOSURE_MISMATCH", "used"]);
    assert.equal(upstreams.sent.length, 1);
  });

  void it("is sent once where two calls race for one permission", async () => {
    const { call, permit, upstreams } = await scene();
    await permit();
    const bodies = await Promise.all([call(), call()]);
    assert.equal(bodies.filter(delivered).length, 1);
    assert.equal(upstreams.sent.length, 1);
  });

  void it("is permitted by a passkey's owner as well", async () => {
    const { call, send, permission, tokenOf, approvers, instance, clock } = await scene();
    const mine = { approver: "carol", instance, launch_digest: LAUNCH_DIGEST, issued_at: Math.floor(clock.now / 1000) };
    const { token } = await approvers.admit(key.access({ ...mine, random: toBase64Url(new Uint8Array(16).fill(99)) }));
    const signed = key.permit(permission({ principal: "carol" }));
    await assert.rejects(send(signed, await tokenOf(alice)), { code: "DISCLOSURE_PERMISSION_INVALID" });
    await send(signed, token);
    assert.ok(delivered(await call()));
  });

  for (const [what, check, changes, request] of [
    ["other bytes", "bytes", {}, { arguments: { q: "other data" } }],
    ["no bytes", "bytes", {}, { arguments: {} }],
    ["another recipient", "recipient", {}, { name: "person" }],
    ["another purpose", "purpose", { purpose: "billing" }, {}],
    ["another rule", "rule", { source_scope: "leave" }, {}],
    ["a later time", "time", { not_before: 1_600 }, {}],
  ] as const)
    void it(`is refused under a permission for ${what}`, async () => {
      const { call, permit, upstreams, instance } = await scene();
      const { source_scope: rule } = changes as Partial<DisclosurePermission>;
      await permit({ ...changes, ...(rule === undefined ? {} : { source_scope: sourceScopeOf(instance, rule) }) });
      const body = await call(request);
      assert.deepEqual([codeOf(body), checkOf(body)], ["DISCLOSURE_MISMATCH", check]);
      assert.equal(upstreams.sent.length, 0);
    });

  void it("is refused where the permission does not name all that the session has seen", async () => {
    const { call, permit, recorded } = await scene();
    await permit();
    recorded.session.raise({ compartments: ["mnpi"], integrity: "trusted" });
    assert.equal(checkOf(await call()), "labels");
    await permit({ request_id: ONE, labels: ["mnpi", "pii"] });
    assert.ok(delivered(await call()));
  });

  void it("is refused under another policy, after the end, and of an owner that the rule does not name", async () => {
    const { call, permit, reload, clock, send, permission, tokenOf } = await scene();
    await send(bob.permit(permission({ principal: "bob", request_id: ONE })), await tokenOf(bob));
    assert.equal(checkOf(await call()), "owner");
    await permit();
    clock.now += 899_000;
    assert.equal(codeOf(await call()), "DISCLOSURE_REQUIRED", "it ends a second early");
    await permit({ request_id: "03".repeat(32) });
    reload();
    assert.equal(checkOf(await call()), "policy");
  });

  void it("is refused of another agent, under every other deny, and where no rule permits it", async () => {
    const other = await scene();
    await other.permit({ workload: "mallory" });
    assert.equal(codeOf(await other.call()), "DISCLOSURE_REQUIRED");
    const denied = await scene({ decide: () => ({ decision: "deny", rule: "stay" }) });
    await denied.permit();
    assert.equal(codeOf(await denied.call()), "POLICY_DENY");
    const unpermitted = await scene({
      permits: () => ({ decision: "deny", rule: "default-deny", cause: "no-policy" }),
    });
    await unpermitted.permit();
    assert.equal(codeOf(await unpermitted.call()), "POLICY_DENY");
    const ownerless = await scene({
      decide: () => ({ decision: "deny", rule: "stay", disclosure: { owners: ["dave"] } }),
    });
    await ownerless.permit();
    assert.equal(codeOf(await ownerless.call()), "POLICY_DENY", "dave is not measured");
    for (const { upstreams } of [other, denied, unpermitted, ownerless]) assert.equal(upstreams.sent.length, 0);
  });

  void it("is not lifted by an approval of a refusal with the same name", async () => {
    const rule = "consequential-untrusted";
    const { run, recorded, pending, approvers, upstreams } = await scene({
      decide: () => ({ decision: "deny", rule, disclosure: OWNERS }),
    });
    recorded.session.raise({ compartments: [], integrity: "untrusted" });
    const transfer = { name: "transfer", arguments: ARGS };
    assert.equal(codeOf(await run(transfer)), "APPROVAL_REQUIRED");
    const [waiting] = pending.waitingFor("alice");
    assert.ok(waiting !== undefined && approvers.eligible({ needed: 1, approvers: ["alice"], reason: null }) !== null);
    pending.begin(waiting, "alice");
    pending.settle(waiting, answerTo(waiting.request, "alice"));
    assert.equal(codeOf(await run(transfer)), "DISCLOSURE_REQUIRED");
    assert.equal(upstreams.sent.length, 0);
  });

  void it("is refused in a session without room for the permission's entry", async () => {
    const { call, permit, recorded, upstreams } = await scene();
    await permit();
    await call({ arguments: {} });
    Object.defineProperty(recorded, "isFull", { get: () => true });
    assert.equal(codeOf(await call()), "DISCLOSURE_REQUIRED");
    assert.equal(upstreams.sent.length, 0);
  });

  void it("is refused where more leaves than arguments, and for anything but a tool", async () => {
    const { call, permit } = await scene();
    await permit();
    assert.equal(codeOf(await call({ task: { ttlMs: null } })), "POLICY_DENY");
    assert.equal(
      codeOf(await call({ method: "prompts/get", name: "greeting", arguments: { who: "x" } })),
      "POLICY_DENY",
    );
    assert.ok(delivered(await call()));
  });
});

void describe("POST /disclosures", () => {
  void it("refuses what is not of this instance, policy, time, catalog and owner", async () => {
    const { send, permission, tokenOf, clock, call, notes } = await scene();
    await call();
    const token = await tokenOf(alice);
    const over = { not_before: 0, expires_at: Math.floor(clock.now / 1000) + 1 };
    for (const [changes, check] of [
      [{ source_scope: sourceScopeOf(toBase64Url(new Uint8Array(32).fill(9)), "stay") }, "instance"],
      [{ policy_version: `sha256:${"9".repeat(64)}` }, "policy"],
      [{ recipient: recipientOf(SERVER, "elsewhere") }, "recipient"],
      [over, "time"],
      [{ principal: "bob" }, "owner"],
    ] as const)
      await assert.rejects(send(alice.permit(permission(changes)), token), {
        code: "DISCLOSURE_PERMISSION_INVALID",
        detail: { check },
      });
    const forged = newApprover("alice").permit(permission());
    await assert.rejects(send(forged, token), {
      code: "DISCLOSURE_PERMISSION_INVALID",
      detail: { check: "signature" },
    });
    await assert.rejects(send(new Uint8Array([123]), token), { code: "APPROVAL_MALFORMED" });
    assert.deepEqual(notes(), [], "nothing of it is recorded");
  });

  void it("takes each permission once, in small number, of owners alone, under the seal", async () => {
    const { send, permit, permission, tokenOf, call } = await scene();
    await permit();
    await assert.rejects(permit(), { code: "DISCLOSURE_PERMISSION_REPLAYED" });
    assert.ok(delivered(await call()));
    await assert.rejects(permit(), { code: "DISCLOSURE_PERMISSION_REPLAYED" }, "used");
    const token = await tokenOf(alice);
    await assert.rejects(send(alice.permit(permission()), ""), { code: "APPROVAL_ACCESS_INVALID" });
    await assert.rejects(tokenOf(stranger), { code: "APPROVAL_ACCESS_INVALID" });
    await assert.rejects(send(alice.permit(permission()), token, { channel: "plain" }), { code: "SEAL_REQUIRED" });
    await assert.rejects(send(alice.permit(permission()), token, { method: "GET" }), { code: "METHOD_NOT_ALLOWED" });
    const id = (at: number): string => at.toString(16).padStart(64, "0");
    for (let at = 1; at < MAX_OF_WORKLOAD; at += 1) await permit({ request_id: id(at) });
    await assert.rejects(permit({ request_id: id(500) }), { code: "OVERLOADED" });
    for (let at = MAX_OF_WORKLOAD; at < MAX_OF_OWNER; at += 1) await permit({ request_id: id(at), workload: "other" });
    await assert.rejects(permit({ request_id: id(501), workload: "third" }), { code: "OVERLOADED" });
  });

  void it("lets a permission count once its entry is cosigned, and not where it cannot be", async () => {
    const { permit, call, holdAnswers, clock, disclosures } = await scene();
    const lost = Promise.reject<undefined>(new Error("no quorum"));
    lost.catch(() => undefined);
    holdAnswers(lost);
    await assert.rejects(permit(), /no quorum/);
    assert.equal(codeOf(await call()), "DISCLOSURE_REQUIRED");
    const { promise, resolve } = Promise.withResolvers<undefined>();
    holdAnswers(promise);
    const permitting = permit();
    const isRecording = (): boolean => disclosures.of("alice").some(({ state }) => state === "recording");
    while (!isRecording()) await new Promise((next) => setImmediate(next));
    assert.equal(codeOf(await call()), "DISCLOSURE_REQUIRED");
    resolve(undefined);
    await permitting;
    assert.ok(delivered(await call()));
    const late = Promise.withResolvers<undefined>();
    holdAnswers(late.promise);
    const expiring = permit({ request_id: ONE });
    while (!isRecording()) await new Promise((next) => setImmediate(next));
    clock.now += 900_000;
    late.resolve(undefined);
    await assert.rejects(expiring, { code: "DISCLOSURE_PERMISSION_INVALID", detail: { check: "time" } });
  });
});

void it("a permission's bytes are the salt and the canonical arguments", () => {
  assert.equal(Buffer.from(outputBytes(SALT, ARGS)).subarray(32).toString(), JSON.stringify(ARGS));
});
