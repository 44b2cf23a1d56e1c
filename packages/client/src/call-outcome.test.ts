import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { leavesOpen, lostAnswer } from "./call-outcome.ts";

const KEY = `7.${"A".repeat(22)}`;
const CAUSE = new CmcpError("SEAL_OUTCOME_UNKNOWN", "the host answered 503");

/** Asks a gateway that answers so, one after the other. */
async function ask(...answers: readonly (object | string | Error)[]) {
  const [asked, slept]: [string[], number[]] = [[], []];
  const error = await lostAnswer(
    {
      root: new URL("https://gateway.example/base/"),
      send: async (request) => {
        asked.push(`${request.method} ${request.url} ${request.headers.get("authorization")}`);
        const answer = answers[asked.length - 1] ?? answers.at(-1) ?? {};
        if (answer instanceof Error) throw answer;
        return typeof answer === "string" ? new Response(answer) : Response.json(answer);
      },
      sleep: async (milliseconds) => void slept.push(milliseconds),
    },
    { key: KEY, authorization: "Bearer t", cause: CAUSE },
  );
  assert.equal(error.cause, CAUSE);
  return { asked, slept, error, code: error.code, detail: error.detail };
}

test("a call that runs is asked for again, for some seconds", async () => {
  const running = { state: "running" };
  const ended = { state: "ended", decision: "fault", outcome: "unknown", call_id: "c", receipt: {} };
  const { code, detail, asked } = await ask(running, running, ended);
  assert.equal(code, "SEAL_ANSWER_LOST");
  assert.deepEqual(detail, {
    idempotency_key: KEY,
    state: "ended",
    call_id: "c",
    decision: "fault",
    outcome: "unknown",
  });
  assert.deepEqual(new Set(asked), new Set([`GET https://gateway.example/base/calls?idempotency_key=${KEY} Bearer t`]));
  assert.equal(asked.length, 3);
  const still = await ask(running);
  assert.deepEqual([still.code, still.detail["state"]], ["SEAL_OUTCOME_UNKNOWN", "running"]);
  assert.equal(still.asked.length, still.slept.length);
  assert.ok(still.slept.reduce((sum, pause) => sum + pause, 0) < 10_000);
});

test("what no answer says is unknown, and a call that will never run is said to be one", async () => {
  for (const answer of [
    new TypeError("cut"),
    "no json",
    "[]",
    {},
    { state: 1 },
    { state: "forgotten" },
    "x".repeat(70_000),
  ]) {
    const { code, error } = await ask(answer);
    assert.equal(code, "SEAL_OUTCOME_UNKNOWN");
    assert.match(error.message, /whether the call ran is unknown/);
  }
  const never = await ask({ state: "unseen", may_still_run: false });
  assert.match(never.error.message, /the call never ran, and will not/);
  const early = await ask({ state: "unseen", may_still_run: true });
  assert.match(early.error.message, /no call of its has begun so far/);
  const long = await ask({ state: "ended", decision: "d".repeat(65), outcome: "a b" });
  assert.deepEqual(long.detail, { idempotency_key: KEY, state: "ended" }, "no text of any length or form is passed on");
});

test("an error from before the request was sent leaves nothing open", () => {
  for (const code of ["INSTANCE_CHANGED", "INSTANCE_NOT_ACCEPTED", "GATEWAY_ANSWER_INVALID", "USAGE"] as const)
    assert.ok(!leavesOpen(new CmcpError(code, "")), code);
  for (const thrown of [CAUSE, new CmcpError("SEAL_NOT_OPENED", ""), new TypeError("cut"), "thrown"])
    assert.ok(leavesOpen(thrown));
});
