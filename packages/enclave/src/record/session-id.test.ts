import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Caller } from "../access/caller.ts";
import type { Core } from "../boot/core.ts";
import { readEarlier } from "./earlier-session.ts";
import { readClosed } from "./read-closed.ts";
import { isSessionId } from "./session-id.ts";

const NOT_IDS = [
  "my session",
  "yearly",
  "a/b",
  "é",
  "",
  "x".repeat(200),
  "A".repeat(43),
  "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90\n",
  "0B6F4F3E-6F0E-4D6B-9F5E-2F8A4C1D7E90",
  " 0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90",
];

test("an id is what a gateway names a session, and nothing else", () => {
  assert.ok(isSessionId(randomUUID()));
  assert.deepEqual(NOT_IDS.filter(isSessionId), []);
});

test("the host is not asked about a name that cannot be a session's id", async () => {
  const asked: string[] = [];
  const journal = {
    scan: ({ session = "" }) => {
      asked.push(session);
      return [];
    },
  };
  const core = {
    instance: "A".repeat(43),
    key: { jwk: { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) } },
    journal,
  } as unknown as Core;
  const alice = new Caller({ principalId: "alice", source: "bearer" }, null);
  const id = randomUUID();
  for (const name of [...NOT_IDS, id]) {
    assert.equal(await readClosed(core, alice, name), null, name);
    assert.equal(await readEarlier(core, alice, name), null, name);
  }
  assert.deepEqual(asked, [id, id]);
});
