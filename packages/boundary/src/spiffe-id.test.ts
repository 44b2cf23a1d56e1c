import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isTrustDomain, readSpiffeId, readWorkloadId } from "./spiffe-id.ts";

const ID = "spiffe://bank.example/agents/desk-7";

test("only SPIFFE IDs in their one spelling are read", () => {
  for (const text of ["spiffe://bank.example", "spiffe://bank.example/a/b", "spiffe://b-a_n.k/A.b-c_9"])
    assert.equal(readSpiffeId(text)?.text, text);
  const wrong = [
    "",
    "spiffe://",
    "spiffe:///a",
    "SPIFFE://bank.example/a",
    "spiffe://Bank.example/a",
    "spiffe://bank.example/",
    "spiffe://bank.example//a",
    "spiffe://bank.example/a/",
    "spiffe://bank.example/./a",
    "spiffe://bank.example/a/..",
    "spiffe://user@bank.example/a",
    "spiffe://bank.example:8443/a",
    "spiffe://bank.example/a?b",
    "spiffe://bank.example/a#b",
    "spiffe://bank.example/%41",
    "spiffe://bank.example/é",
    "https://bank.example/a",
    `${ID}\n`,
    `spiffe://bank.example/${"a".repeat(2_048)}`,
    `spiffe://${"a".repeat(256)}/a`,
  ];
  for (const text of wrong) assert.equal(readSpiffeId(text), null, text.slice(0, 60));
  fc.assert(fc.property(fc.string(), (text) => readSpiffeId(text) === null || text.startsWith("spiffe://")));
});

test("an ID is taken apart into its trust domain and its path, and put together again", () => {
  const segment = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/).filter((text) => text !== "." && text !== "..");
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9._-]{1,40}$/), fc.array(segment, { maxLength: 6 }), (domain, segments) => {
      const path = segments.map((one) => `/${one}`).join("");
      const text = `spiffe://${domain}${path}`;
      assert.deepEqual(readSpiffeId(text), { text, trustDomain: domain, path });
      assert.equal(isTrustDomain(domain), true);
      assert.equal(readWorkloadId(text, domain)?.text, path === "" ? undefined : text);
      assert.equal(readWorkloadId(text, `${domain}x`), null);
    }),
  );
  fc.assert(
    fc.property(fc.stringMatching(/^spiffe:\/\/[ -~]{0,40}$/), (text) => {
      const id = readSpiffeId(text);
      if (id !== null) assert.equal(`spiffe://${id.trustDomain}${id.path}`, text);
    }),
  );
});

test("only a trust domain is one", () => {
  for (const text of ["", "Bank.example", "bank.example/", "a b", "a".repeat(256), "bank.example\n"])
    assert.equal(isTrustDomain(text), false);
});
