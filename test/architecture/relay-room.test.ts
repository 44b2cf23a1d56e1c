/** What may be open to tool servers at one time, over all roles: nothing that stays open may take the host's relay from calls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EGRESS_LIMITS } from "../../host-proxy/src/egress/relay.ts";
import { MAX_SERVERS } from "../../packages/catalog/src/limits.ts";
import { DEFAULT_ADMISSION } from "../../packages/enclave/src/access/admission.ts";
import { MAX_FOLLOWED_STREAMS } from "../../packages/enclave/src/servers/subscriptions.ts";
import { DEFAULT_UPSTREAM_LIMITS } from "../../packages/mcp/src/upstream/options.ts";
import { MAX_LONG_LIVED } from "../../packages/mcp/src/upstream/channel/long-lived-connections.ts";

test("the relay carries every call that may run, beside every stream that may stay open", () => {
  const { maxRunning, maxQuestions } = DEFAULT_ADMISSION;
  // A call that runs, or waits for its agent's answer, and its session's own stream; two of what is followed, while one takes
  // the place of another; one for each named server, on which the gateway hears of its lists.
  const needed = 2 * (maxRunning + maxQuestions) + MAX_LONG_LIVED + 2 * MAX_FOLLOWED_STREAMS + MAX_SERVERS;
  assert.ok(EGRESS_LIMITS.connections >= needed, `${EGRESS_LIMITS.connections} connections, ${needed} may be needed`);
});

test("a call that may run never waits for a connection that the call of another principal holds", () => {
  const { maxConnections, maxExchanges } = DEFAULT_UPSTREAM_LIMITS;
  const { maxRunning, maxQuestions } = DEFAULT_ADMISSION;
  assert.ok(maxConnections >= maxExchanges && maxExchanges >= maxRunning + maxQuestions);
});
