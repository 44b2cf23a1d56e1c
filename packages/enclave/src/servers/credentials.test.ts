import assert from "node:assert/strict";
import { test } from "node:test";
import { Credentials } from "./credentials.ts";

test("whoever keeps values hears which of them a provisioning changes", () => {
  const credentials = new Credentials({ servers: [] });
  const heard: string[][] = [];
  credentials.onChange((names) => heard.push([...names].toSorted((left, right) => left.localeCompare(right))));
  const provision = (named: Readonly<Record<string, string>>): void =>
    credentials.provision({
      v: 1,
      tokens: [],
      credentials: Object.entries(named).map(([name, value]) => ({ name, value })),
    });
  provision({ a: "1", b: "1" });
  provision({ a: "1", b: "2" });
  provision({ b: "2" });
  provision({ b: "2" });
  assert.deepEqual(heard, [["a", "b"], ["b"], ["a"], []]);
  assert.equal(credentials.value("b"), "2");
  assert.throws(() => credentials.value("a"), { code: "CREDENTIAL_NOT_PROVISIONED", detail: { sent: 0 } });
});
