import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { approvedOf } from "@cmcp/catalog";
import { silentPeer } from "@cmcp/mcp";
import { Subscriptions } from "../servers/subscriptions.ts";
import type { NewSubscription } from "../servers/upstreams.ts";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, inspectedPeer, permitFor, requestFor, sessionOf } from "../testing/calls.ts";
import { upstreamRequest } from "./send-upstream.ts";
import { subscriber } from "./subscribe.ts";

const catalog = callCatalog();
const peer = inspectedPeer(silentPeer(new AbortController().signal));

/** Servers that answer what a test says, and what they were asked. */
function start(answer: (uri: unknown) => void) {
  const [beside, left]: [(readonly string[])[], string[]] = [[], []];
  const upstreams = {
    subscribe: async (_: unknown, __: unknown, { request, followed }: NewSubscription) => {
      beside.push(followed);
      answer(request.params["uri"]);
    },
    follow: async () => undefined,
    unfollow: async (_: unknown, __: unknown, uri: string) => void left.push(uri),
    usesOneStream: () => false,
  };
  const subscriptions = new Subscriptions(upstreams, { resourceUpdated: () => undefined });
  const recorded = sessionOf();
  const subscribe = subscriber({ subscriptions, upstreams });
  const ask = async (id: number): Promise<void> => {
    const request = requestFor({ method: "resources/subscribe", name: `note://by-id/${id}` });
    const call = makeCall(request, { recorded });
    const permit = permitFor(targetOf(catalog, request));
    await subscribe(call, permit, upstreamRequest(call, permit, null), peer);
  };
  const { server } = approvedOf(targetOf(catalog, requestFor({ method: "resources/read", name: "note://all" })));
  return { ask, beside, left, following: () => subscriptions.followedUris(recorded.session, server) };
}

test("what a server refuses is not followed; it is asked about each beside what it has agreed to", async () => {
  const { ask, beside, following } = start((uri) => {
    if (uri === "note://by-id/2") throw new CmcpError("UPSTREAM_CALL_REFUSED", "no");
  });
  await ask(1);
  await assert.rejects(ask(2), { code: "UPSTREAM_CALL_REFUSED" });
  await ask(3);
  await ask(1);
  const [one, three] = ["note://by-id/1", "note://by-id/3"];
  assert.deepEqual(
    [following(), beside],
    [
      [one, three],
      [[], [one], [one], [three]],
    ],
  );
});

test("what a session may not follow any more is given up at the server that agreed to it", async () => {
  const { ask, left } = start(() => undefined);
  for (let n = 0; n < 256; n += 1) await ask(n);
  await assert.rejects(ask(256), { code: "OVERLOADED" });
  assert.deepEqual(left, ["note://by-id/256"]);
});
