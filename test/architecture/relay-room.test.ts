/** What may be open to tool servers at one time, over all roles: nothing that stays open may take the host's relay from calls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EGRESS_LIMITS } from "../../host-proxy/src/egress/relay.ts";
import { DEFAULT_ADMISSION } from "../../packages/enclave/src/admission.ts";
import { MAX_FOLLOWED_STREAMS } from "../../packages/enclave/src/subscriptions.ts";
import { MAX_STANDING } from "../../packages/mcp/src/upstream/channel/standing.ts";

/** Servers whose lists the gateway hears of, on a stream each. */
const WATCHED = 32;

test("the relay carries every call that may run, beside every stream that may stay open", () => {
  // Twice: while one stream takes the place of another, both are open.
  const needed = DEFAULT_ADMISSION.maxRunning + MAX_STANDING + 2 * MAX_FOLLOWED_STREAMS + WATCHED;
  assert.ok(EGRESS_LIMITS.connections >= needed, `${EGRESS_LIMITS.connections} connections, ${needed} may be needed`);
});
