import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Caller } from "../access/caller.ts";
import { makeCall, requestFor, sessionOf } from "../testing/calls.ts";
import { approvalKey } from "./approval-request.ts";

void describe("the key of a call that waits for an approval", () => {
  const recorded = sessionOf();
  const call = makeCall(requestFor(), { recorded });
  const key = approvalKey(call, "ask");
  const sealed = new Caller({ principalId: "alice", source: "bearer" }, null, { channel: "sealed" });

  void it("is that of the same call again", () => {
    assert.equal(approvalKey(makeCall(requestFor(), { recorded }), "ask"), key);
  });

  void it("is another one in another session, of another principal, over another channel, or for another rule", () => {
    const keys = [
      approvalKey(makeCall(requestFor(), { recorded: sessionOf() }), "ask"),
      approvalKey(makeCall(requestFor(), { recorded: sessionOf("bob") }), "ask"),
      approvalKey({ ...call, caller: sealed }, "ask"),
      approvalKey(call, "other"),
    ];
    assert.equal(call.caller.channel, "plain");
    assert.equal(new Set([key, ...keys]).size, 5);
  });
});
