import assert from "node:assert/strict";
import { test } from "node:test";
import { refused, withGatewayMembers } from "./outcome.ts";

test("the gateway's members stand in a result's _meta, and in an error's data beside its code", () => {
  assert.deepEqual(withGatewayMembers({ result: { a: 1, _meta: { b: 2 } } }, { c: 3 }), {
    result: { a: 1, _meta: { b: 2, c: 3 } },
  });
  assert.deepEqual(withGatewayMembers({ result: {} }, { c: 3 }), { result: { _meta: { c: 3 } } });
  assert.deepEqual(
    withGatewayMembers({ error: { code: 1, message: "m", data: { error_code: "USAGE" } }, status: 400 }, { c: 3 }),
    { error: { code: 1, message: "m", data: { error_code: "USAGE", c: 3 } }, status: 400 },
  );
  const members = { error_code: "SPOOF" };
  assert.deepEqual(refused("USAGE", "m").data, { error_code: "USAGE" });
  assert.deepEqual(withGatewayMembers({ result: { _meta: { error_code: "theirs" } } }, members), {
    result: { _meta: members },
  });
});
