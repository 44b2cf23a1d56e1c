import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { describe, it } from "node:test";
import { isNoticeSignedBy, readNotice, webhookSigningInput, type ApprovalRequest } from "@cmcp/approval";
import { CmcpError, untrusted, type ErrorCode } from "@cmcp/boundary";
import { verifiesEd25519 } from "../../../approval/src/crypto.ts";
import { requestOf } from "../../../approval/src/testing/statements.ts";
import { SigningKey } from "../instance/signing-key.ts";
import {
  ApprovalNotices,
  MAX_NOTICES,
  MAX_OF_PRINCIPAL,
  MAX_SENDING,
  RETRY_MS,
  type NoticeFailure,
} from "./approval-notices.ts";

type Answer = number | ErrorCode | Promise<number>;

/** Notices to a receiver that answers as a test says, on the test's clock. */
function scene(answer: (attempt: number) => Answer = () => 200, url: string | null = "https://approve.example/") {
  const key = new SigningKey();
  const clock = { now: 1_000_000 };
  const posted: { readonly headers: Readonly<Record<string, string>>; readonly body: string }[] = [];
  const given: (readonly [string, NoticeFailure])[] = [];
  const timers: { readonly at: number; readonly run: () => void }[] = [];
  const waiting = { gone: new Set<string>(), closed: 0 };
  const notices = new ApprovalNotices({
    post: async (headers, body) => {
      posted.push({ headers, body });
      const said = answer(posted.length);
      if (typeof said === "string") throw new CmcpError(said, "as the test says");
      return await said;
    },
    close: async () => void (waiting.closed += 1),
    sign: (message) => key.sign(message),
    url,
    now: () => clock.now,
    monotonic: () => clock.now,
    later: (ms, run) => {
      const timer = { at: clock.now + ms, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
    waits: (id) => !waiting.gone.has(id),
    failed: (id, why) => void given.push([id, why]),
  });
  const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));
  const pass = async (ms: number): Promise<void> => {
    clock.now += ms;
    for (const timer of timers.filter(({ at }) => at <= clock.now)) {
      timers.splice(timers.indexOf(timer), 1);
      timer.run();
    }
    await settled();
  };
  return { key, clock, posted, given, timers, waiting, notices, settled, pass };
}

let made = 0;
function waitingRequest(principal = "alice"): ApprovalRequest {
  made += 1;
  const approval_id = Buffer.from(String(made).padStart(16, "0")).toString("base64url");
  return requestOf({ approval_id, principal });
}

void describe("notices of approvals", () => {
  void it("are signed by the instance in body and header, and say nothing of the call", async () => {
    const { notices, posted, key, settled, clock } = scene();
    const request = waitingRequest();
    notices.send(request);
    await settled();
    const [{ headers, body } = { headers: {} as Record<string, string>, body: "" }] = posted;
    const read = readNotice(untrusted(new TextEncoder().encode(body)));
    assert.equal(await isNoticeSignedBy(webcrypto, key.jwk.x, read), true);
    const { origin, instance, approval_id, issued_at, expires_at, needed } = request;
    assert.deepEqual(read.notice, {
      format: "cmcp-approval-notice/1",
      origin,
      instance,
      approval_id,
      issued_at,
      expires_at,
      needed,
      url: `https://approve.example/${approval_id}`,
    });
    for (const content of [
      request.principal,
      request.target.name,
      request.target.server,
      request.rule,
      "bob@example.org",
    ])
      assert.ok(!body.includes(content), content);
    const at = Math.floor(clock.now / 1000);
    assert.deepEqual([headers["webhook-id"], headers["webhook-timestamp"]], [approval_id, String(at)]);
    const signature = Buffer.from((headers["webhook-signature"] ?? "").replace("v1a,", ""), "base64");
    const raw = Buffer.from(key.jwk.x, "base64url");
    assert.ok(await verifiesEd25519(webcrypto, raw, signature, webhookSigningInput(approval_id, at, body)));
    assert.deepEqual(notices.state, { waiting: 0, delivered: 1, failed: {} });
  });

  void it("name no place where the configuration names none", async () => {
    const { notices, posted, settled } = scene(() => 200, null);
    notices.send(waitingRequest());
    await settled();
    assert.ok(!(posted[0]?.body ?? "").includes('"url"'));
  });

  void it("are tried again after longer and longer, with one id, and are then given up", async () => {
    const { notices, posted, given, settled, pass } = scene(() => "UPSTREAM_UNAVAILABLE");
    const request = waitingRequest();
    notices.send(request);
    await settled();
    for (const [index, ms] of RETRY_MS.entries()) {
      await pass(ms - 1);
      assert.equal(posted.length, index + 1);
      assert.deepEqual(notices.state, { waiting: 1, delivered: 0, failed: {} });
      await pass(1);
      assert.equal(posted.length, index + 2);
    }
    await pass(1e9);
    assert.equal(posted.length, RETRY_MS.length + 1);
    assert.deepEqual(new Set(posted.map(({ headers }) => headers["webhook-id"])), new Set([request.approval_id]));
    assert.equal(new Set(posted.map(({ body }) => body)).size, 1);
    assert.deepEqual(given, [[request.approval_id, "unreachable"]]);
    assert.deepEqual(notices.state, { waiting: 0, delivered: 0, failed: { unreachable: 1 } });
  });

  void it("are delivered once: what a receiver took is not sent again", async () => {
    const { notices, posted, settled, pass } = scene((attempt) => (attempt === 1 ? 503 : 202));
    notices.send(waitingRequest());
    await settled();
    await pass(RETRY_MS[0]);
    await pass(1e9);
    assert.deepEqual([posted.length, notices.state], [2, { waiting: 0, delivered: 1, failed: {} }]);
  });

  void it("say in a closed word why one was not delivered; what is for good is not tried again", async () => {
    const cases: readonly (readonly [Answer, NoticeFailure, number])[] = [
      [302, "redirect", 1],
      [404, "refused", 1],
      ["EGRESS_NOT_ALLOWED", "not-allowed", 1],
      [500, "server-error", 5],
      [429, "server-error", 5],
      ["UPSTREAM_TIMEOUT", "timeout", 5],
      ["UPSTREAM_IDENTITY_MISMATCH", "identity", 5],
      ["UPSTREAM_PROTOCOL_ERROR", "protocol", 5],
      ["INTERNAL", "unreachable", 5],
    ];
    for (const [answer, why, attempts] of cases) {
      const { notices, posted, given, settled, pass } = scene(() => answer);
      notices.send(waitingRequest());
      await settled();
      for (const ms of RETRY_MS) await pass(ms);
      assert.deepEqual([posted.length, given.map(([, said]) => said)], [attempts, [why]], why);
    }
  });

  void it("end with what they are of: nobody is told of what waits no more", async () => {
    const { notices, posted, waiting, given, settled, pass } = scene(() => 503);
    const request = waitingRequest();
    notices.send(request);
    await settled();
    waiting.gone.add(request.approval_id);
    await pass(RETRY_MS[0]);
    assert.deepEqual([posted.length, given, notices.state["waiting"]], [1, [], 0]);
  });

  void it("of one principal are so many in a minute, and another one has its own", async () => {
    const { notices, posted, settled, pass } = scene();
    for (let index = 0; index < MAX_OF_PRINCIPAL + 3; index += 1) notices.send(waitingRequest("alice"));
    notices.send(waitingRequest("bob"));
    await settled();
    assert.equal(posted.length, MAX_OF_PRINCIPAL + 1);
    assert.deepEqual(notices.state["failed"], { "principal-limit": 3 });
    await pass(60_000);
    notices.send(waitingRequest("alice"));
    await settled();
    assert.equal(posted.length, MAX_OF_PRINCIPAL + 2);
  });

  void it("are bounded in number, and so are messages at one time, while a receiver says nothing", async () => {
    const { notices, posted, settled } = scene(() => new Promise(() => undefined));
    for (let index = 0; index < MAX_NOTICES + 2; index += 1) notices.send(waitingRequest(`p${index}`));
    await settled();
    assert.equal(posted.length, MAX_SENDING);
    assert.deepEqual(notices.state, { waiting: MAX_NOTICES, delivered: 0, failed: { full: 2 } });
  });

  void it("are dropped at once when the gateway stops", async () => {
    const { notices, posted, timers, waiting, settled, pass } = scene(() => 503);
    notices.send(waitingRequest());
    await settled();
    assert.equal(timers.length, 1);
    await notices.stop();
    assert.deepEqual([timers.length, waiting.closed], [0, 1]);
    notices.send(waitingRequest());
    await pass(1e9);
    assert.deepEqual([posted.length, notices.state["waiting"]], [1, 0]);
  });
});
