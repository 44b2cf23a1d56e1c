import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Caller } from "../access/caller.ts";
import type { ScanFilter } from "./host-log.ts";
import { StoredSessions } from "./stored-sessions.ts";
import type { ShownRecord } from "@cmcp/wire";
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

test("only a lower-case UUID is a session id", () => {
  assert.ok(isSessionId(randomUUID()));
  assert.deepEqual(NOT_IDS.filter(isSessionId), []);
});

test("the host is not asked about a name that cannot be a session id", async () => {
  const asked: string[] = [];
  const scan = async function* ({ session = "" }: ScanFilter): AsyncGenerator<ShownRecord> {
    asked.push(session);
    yield* await Promise.resolve([]);
  };
  const jwk = { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) } as const;
  const nothing = (): never => assert.fail("nothing is proven");
  const journal = { scan, readPath: nothing, signedHead: nothing };
  const stored = new StoredSessions({ journal, instance: jwk.x, jwk, believedFrom: nothing });
  const alice = new Caller({ principalId: "alice", source: "bearer" }, null);
  const id = randomUUID();
  for (const called of [...NOT_IDS, id]) assert.equal(await stored.read(alice, called), null, called);
  assert.deepEqual(new Set(asked), new Set([id]));
});
