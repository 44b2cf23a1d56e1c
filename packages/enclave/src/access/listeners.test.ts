import assert from "node:assert/strict";
import { test } from "node:test";
import type { ListenFilter } from "@cmcp/mcp";
import { Listeners, MAX_LISTENERS, type ListeningSession } from "./listeners.ts";

const everything: ListenFilter = {
  toolsListChanged: true,
  promptsListChanged: true,
  resourcesListChanged: true,
  resourceSubscriptions: null,
};

function sessionOf(principalId: string, id = principalId): ListeningSession {
  return { id, principalId, inUse: 0 };
}

test("streams are limited, for each principal and in all, and one that ends makes room", () => {
  const listeners = new Listeners();
  const add = (principal: string): AbortController => {
    const leaving = new AbortController();
    listeners.add({ session: sessionOf(principal), filter: everything, notify: () => undefined }, leaving.signal);
    return leaving;
  };
  const [first] = Array.from({ length: 32 }, () => add("alice"));
  assert.throws(() => add("alice"), { code: "OVERLOADED" });
  add("bob");
  first?.abort();
  add("alice");
  for (let principal = 0; principal < 27; principal += 1)
    for (let stream = 0; stream < 31; stream += 1) add(`p${principal}`);
  assert.throws(
    () => {
      for (let stream = 0; stream < 32; stream += 1) add("carol");
    },
    { code: "OVERLOADED" },
    "the last streams are for principals that have none",
  );
  for (let principal = 0; listeners.size < MAX_LISTENERS; principal += 1) add(`one of p${principal}`);
  assert.throws(() => add("dan"), { code: "OVERLOADED" });
});

test("a session with a listening stream is in use until the stream ends; a stream that ended before does not count", () => {
  const listeners = new Listeners();
  const session = sessionOf("alice");
  const leaving = new AbortController();
  listeners.add({ session, filter: everything, notify: () => undefined }, leaving.signal);
  listeners.add({ session, filter: everything, notify: () => undefined }, AbortSignal.abort());
  assert.deepEqual([listeners.size, session.inUse], [1, 1]);
  leaving.abort();
  assert.deepEqual([listeners.size, session.inUse], [0, 0]);
});

test("each stream gets the notifications it asked for, and updates only of its own session's resources", () => {
  const listeners = new Listeners();
  const heard: string[] = [];
  const add = (name: string, filter: Partial<ListenFilter>, session = name): void =>
    listeners.add(
      {
        session: sessionOf(name, session),
        filter: { ...everything, ...filter },
        notify: (method) => void heard.push(`${name} ${method}`),
      },
      new AbortController().signal,
    );
  add("all", {});
  add("no-tools", { toolsListChanged: false });
  add("one-uri", { resourceSubscriptions: ["a:1"] });
  listeners.listChanged("tools");
  listeners.resourceUpdated("one-uri", "a:2");
  listeners.resourceUpdated("one-uri", "a:1");
  assert.deepEqual(heard, [
    "all notifications/tools/list_changed",
    "one-uri notifications/tools/list_changed",
    "one-uri notifications/resources/updated",
  ]);
});
