import assert from "node:assert/strict";
import { test } from "node:test";
import { examine, untrusted, type Untrusted } from "@cmcp/boundary";
import { hashedEntry } from "./entry-text.ts";
import { decodeRecord } from "./journal.ts";
import { POLICY, WritingInstance } from "./testing/instance.ts";

const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";

function recordOfEntry(): { bytes: Untrusted<Uint8Array>; text: string } {
  const instance = new WritingInstance();
  instance.start(SESSION, { principal: "agent" });
  instance.entry(SESSION, {
    entry_type: "tool_call",
    call_id: "c",
    policy_decision: "allow",
    tool_name: 'a "quoted" tool, "receipt": "entry_hash":"x",',
    detail: { policy_hash: POLICY },
  });
  const bytes = instance.records.at(-1) ?? untrusted(new Uint8Array(0));
  return { bytes, text: Buffer.from(examine(bytes)).toString() };
}

const read = (text: string): unknown => hashedEntry(untrusted(Buffer.from(text)));
const refused = (text: string): void => assert.throws(() => read(text), { code: "AUDIT_STORE_MISMATCH" });

test("an entry is read from its record's text as it was written", () => {
  const { bytes } = recordOfEntry();
  const record = decodeRecord(bytes);
  assert.ok(record.kind === "entry");
  assert.deepEqual(hashedEntry(bytes), record.body.entry);
});

test("whatever single character of the record is another, the entry is the same or refused", () => {
  const { bytes, text } = recordOfEntry();
  const whole = hashedEntry(bytes);
  const end = text.lastIndexOf(',"receipt":');
  for (let at = 0; at < text.length; at += 1) {
    const changed = `${text.slice(0, at)}${text[at] === "0" ? "1" : "0"}${text.slice(at + 1)}`;
    if (at < end + ',"receipt":'.length) refused(changed);
    else assert.deepEqual(read(changed), whole);
  }
});

test("a hash that stands elsewhere, twice or nowhere is refused, and so is what is no entry", () => {
  const { text } = recordOfEntry();
  const [hash = ""] = /"entry_hash":"[0-9a-f]{64}",/.exec(text) ?? [];
  refused(text.replace(hash, ""));
  refused(text.replace(hash, hash + hash));
  refused(text.replace(hash, "").replace('"detail":{', `"detail":{${hash}`));
  refused("");
  refused("null");
  refused('{"body":{"entry":null,"receipt":null}}');
  refused('{"body":{"entry":{"entry_hash":1},"receipt":null}}');
  read(text.padEnd(16 * 1024 * 1024));
  refused(text.padEnd(16 * 1024 * 1024 + 1));
});
