export function bad(input: Untrusted<string>, size: Untrusted<number>): unknown {
  const text = examine(input);
  // ruleid: untrusted-into-unbounded
  new RegExp(text);
  // ruleid: untrusted-into-unbounded
  Buffer.alloc(examine(size));
  // ruleid: untrusted-into-unbounded
  readFile(text, "utf8");
  // ruleid: untrusted-into-unbounded
  return JSON.parse(text);
}
export function good(input: Untrusted<Uint8Array>, size: Untrusted<number>): unknown {
  // ok: untrusted-into-unbounded
  Buffer.alloc(Math.min(examine(size), 1024));
  // ok: untrusted-into-unbounded
  return JSON.parse(canonicalText(parseJson(input)));
}
