import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import type { CatalogServer } from "@cmcp/catalog";
import { silentPeer } from "@cmcp/mcp";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { Subscriptions } from "../servers/subscriptions.ts";
import type { Subscribe } from "../servers/upstreams.ts";
import { subscribe } from "./subscribe.ts";

const server = { identity: "server" } as CatalogServer;
const recorded = { session: { id: "s", principalId: "alice" } } as RecordedSession;

/** Servers that answer what the test says, and what they were asked. */
function start(answer: (uri: string) => void): {
  ask: (uri: string) => Promise<void>;
  subscriptions: Subscriptions;
  beside: (readonly string[])[];
  left: string[];
} {
  const [beside, left]: [(readonly string[])[], string[]] = [[], []];
  const upstreams = {
    subscribe: async (_: unknown, __: unknown, { request, followed }: Subscribe) => {
      beside.push(followed);
      const { uri } = request.params;
      answer(typeof uri === "string" ? uri : "");
    },
    follow: async () => undefined,
    unfollow: async (_: unknown, __: unknown, uri: string) => void left.push(uri),
    tellsOnOneStream: () => false,
  };
  const subscriptions = new Subscriptions(upstreams, { resourceUpdated: () => undefined });
  const core = { upstreams, subscriptions } as unknown as Core;
  const ask = (uri: string): Promise<void> =>
    subscribe(
      core,
      recorded,
      server,
      uri,
      { method: "resources/subscribe", params: { uri } },
      silentPeer(new AbortController().signal),
    );
  return { ask, subscriptions, beside, left };
}

test("what a server refuses is not followed; it is asked about each beside what it has agreed to", async () => {
  const { ask, subscriptions, beside } = start((uri) => {
    if (uri === "a:2") throw new CmcpError("UPSTREAM_CALL_REFUSED", "no");
  });
  await ask("a:1");
  await assert.rejects(ask("a:2"), { code: "UPSTREAM_CALL_REFUSED" });
  await ask("a:3");
  await ask("a:1");
  assert.deepEqual(
    [subscriptions.of(recorded.session, server), beside],
    [
      ["a:1", "a:3"],
      [[], ["a:1"], ["a:1"], ["a:3"]],
    ],
  );
});

test("what a session may not follow any more is given up at the server that agreed to it", async () => {
  const { ask, left } = start(() => undefined);
  for (let n = 0; n < 256; n += 1) await ask(`a:${n}`);
  await assert.rejects(ask("a:256"), { code: "OVERLOADED" });
  assert.deepEqual(left, ["a:256"]);
});
