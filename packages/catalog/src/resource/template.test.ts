import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CmcpError } from "@cmcp/boundary";
import { UriTemplate } from "./template.ts";

const template = (text: string): UriTemplate => new UriTemplate(text, "resource");
const values = (text: string, uri: string): Record<string, string> | null => {
  const found = template(text).match(uri);
  return found === null ? null : Object.fromEntries(found);
};

test("a URI fits in one way, with its variables decoded", () => {
  assert.deepEqual(values("test://template/{id}/data", "test://template/123/data"), { id: "123" });
  assert.deepEqual(values("db://{table}/{row}", "db://a%20b/7"), { table: "a b", row: "7" });
  assert.deepEqual(values("x://v-{a}.json", "x://v-b.json.json"), { a: "b.json" });
  assert.deepEqual(values("x://{a}x/y-{b}z", "x://axx/y-zzz"), { a: "ax", b: "zz" });
  assert.deepEqual(values("file:///{+path}", "file:///a/b/c.txt"), { path: "a/b/c.txt" });
  assert.deepEqual(values("file:///{dir}/{+path}.md", "file:///a/b/c.md"), { dir: "a", path: "b/c" });
});

test("what does not fit has no values", () => {
  for (const uri of [
    "test://template//data",
    "test://template/1/2/data",
    "test://template/1/data/",
    "TEST://template/1/data",
    "test://template/1/datax",
    "test://template/é/data",
    "test://template/1%/data",
    "test://template/a?b/data",
    "",
  ]) {
    assert.equal(values("test://template/{id}/data", uri), null, uri);
  }
  assert.equal(values("x://{a}.json", "x://.json"), null);
  assert.equal(values("file:///{+path}", "file:///"), null);
  assert.equal(values("file:///{+path}.md", "file:///.md"), null);
});

test("a value that would lead a server elsewhere fits nothing", () => {
  for (const id of [
    "..",
    ".",
    "%2e%2e",
    "%2E",
    "a%2Fb",
    "a%5cb",
    "%00",
    "%0a",
    "%7f",
    "%C2%85",
    "%252e%252e",
    "%C3",
    "%ff",
  ]) {
    assert.equal(values("test://t/{id}/x", `test://t/${id}/x`), null, id);
  }
  for (const path of [
    "../etc/passwd",
    "a/../../b",
    "a/%2e%2e/b",
    "a/.",
    "a\\b",
    "a%5c..%5cb",
    "a%2F..%2Fb",
    "a?b/..",
    "a%00",
  ]) {
    assert.equal(values("file:///{+path}", `file:///${path}`), null, path);
  }
});

test("templates that could be read in two ways, or not at all, are refused", () => {
  const refused: readonly [string, RegExp][] = [
    ["x://{a}{b}", /nothing after \{a\}/],
    ["x://{a}-{b}", /nothing after \{a\}/],
    ["x://{+a}/{b}", /before another variable/],
    ["x://{a}/{a}", /names a variable twice/],
    ["x://{?q}", /other than \{name\} and \{\+name\}/],
    ["x://{a,b}", /other than/],
    ["x://{a:3}", /other than/],
    ["x://{a*}", /other than/],
    ["x://{}", /other than/],
    ["x://{a", /unmatched brace/],
    ["x://a}", /unmatched brace/],
    ["x:// {a}", /characters no URI may have/],
    ["x://é{a}", /characters no URI may have/],
    ["x://plain", /has no variable/],
    ["{a}://x", /does not begin with a scheme/],
    [`x://${"y".repeat(600)}{a}`, /over 512 characters/],
    [`x://${Array.from({ length: 17 }, (_, index) => `{v${index}}`).join("/")}`, /more than 16 variables/],
  ];
  for (const [text, why] of refused)
    assert.throws(
      () => template(text),
      (thrown) => thrown instanceof CmcpError && thrown.code === "CATALOG_INVALID" && why.test(thrown.message),
      text,
    );
});

const name = fc.stringMatching(/^[a-z]{1,3}$/);
const literal = fc.stringMatching(/^[a-z.-]{0,3}\/[a-z.-]{0,3}$/);
/** Parts of a template: literals with a reserved character in each, variables between them. */
const shape = fc.record({
  names: fc.uniqueArray(name, { minLength: 1, maxLength: 4 }),
  literals: fc.array(literal, { minLength: 5, maxLength: 5 }),
});

test("what a template expands to (RFC 6570, section 3.2.2) gives the same values back", () => {
  fc.assert(
    fc.property(
      shape,
      fc.array(fc.stringMatching(/^[\p{L}\p{N} !@&=_~-][\p{L}\p{N} .!@&=_~-]{0,5}$/u), { minLength: 4, maxLength: 4 }),
      ({ names, literals }, chosen) => {
        const text = `x:/${literals[0] ?? ""}${names.map((each, index) => `{${each}}${literals[index + 1] ?? ""}`).join("")}`;
        const expand = (value: string): string =>
          encodeURIComponent(value).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
        const uri = `x:/${literals[0] ?? ""}${names.map((_, index) => `${expand(chosen[index] ?? "")}${literals[index + 1] ?? ""}`).join("")}`;
        assert.deepEqual(
          values(text, uri),
          Object.fromEntries(names.map((each, index) => [each, chosen[index]])),
          `${text} ${uri}`,
        );
      },
    ),
  );
});

test("overlap is symmetric and holds whenever one URI fits both", () => {
  const piece = fc.constantFrom("a", "b", "/", "ab", "{x}", "{+x}");
  const text = fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => `s:/${parts.join("")}`);
  const read = (each: string): UriTemplate | null => {
    try {
      return template(each);
    } catch {
      return null;
    }
  };
  const words = ["a", "b", "/"];
  const uris = words.flatMap((one) =>
    ["", ...words].flatMap((two) =>
      ["", ...words].flatMap((three) => ["", ...words].map((four) => `s:/${one}${two}${three}${four}`)),
    ),
  );
  let overlapping = 0;
  let apart = 0;
  fc.assert(
    fc.property(text, text, (left, right) => {
      const [one, two] = [read(left), read(right)];
      fc.pre(one !== null && two !== null);
      assert.equal(one.overlaps(two), two.overlaps(one));
      const shared = uris.find((uri) => one.match(uri) !== null && two.match(uri) !== null);
      if (one.overlaps(two)) overlapping += 1;
      else apart += 1;
      if (shared !== undefined) assert.ok(one.overlaps(two), `${left} and ${right} share ${shared}`);
    }),
    { numRuns: 600 },
  );
  assert.ok(overlapping > 20 && apart > 20, `${overlapping} overlapping, ${apart} apart`);
});

test("templates of different places do not overlap", () => {
  const pairs: readonly [string, string, boolean][] = [
    ["test://a/{id}", "test://b/{id}", false],
    ["test://a/{id}", "test://a/{id}/x", false],
    ["test://a/{id}/x", "test://a/{+rest}", true],
    ["test://a/{id}", "test://a/{name}", true],
    ["test://a/x-{id}", "test://a/{name}-y", true],
    ["test://a/x{id}", "test://a/y{id}", false],
    ["http://h/{a}", "https://h/{a}", false],
  ];
  for (const [left, right, overlap] of pairs)
    assert.equal(template(left).overlaps(template(right)), overlap, `${left} ${right}`);
});

test("long input that does not fit is refused", () => {
  const long = template("x://{a}/{b}/{c}/{+d}");
  assert.equal(long.match(`x://${"a/".repeat(20_000)}..`), null);
  assert.equal(template("x://{a}/y").match(`x://${"%41".repeat(20_000)}`), null);
});
