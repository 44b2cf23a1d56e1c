import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import { encodeMap, type WireMap } from "./codec.ts";
import { decodeFrame, encodeFrame, type Frame } from "./frame.ts";
import {
  MAX_DATA_BYTES,
  MAX_ERROR_MESSAGE,
  MAX_HEADERS,
  MAX_HEADERS_BYTES,
  MAX_HEADER_NAME,
  MAX_HEADER_VALUE,
  MAX_IDENTIFIER,
  MAX_LOG_SIZE,
  MAX_PATH,
  MAX_WIRE_FRAME_BYTES,
} from "./limits.ts";
import { frame } from "./testing/arbitrary.ts";

const received = (map: WireMap): Frame => decodeFrame(untrusted(encodeMap(map)));
const request = { t: "request", x: 1, method: "POST", path: "/mcp", headers: {} } as const;
const append = { t: "append", x: 1, first: 0 } as const;
const scan = { t: "scan", x: 1, from: 0, session: "s", kind: "entry" } as const;

test("every frame is read back as it was written", () => {
  fc.assert(
    fc.property(frame, (each) => {
      const wire = encodeFrame(each);
      assert.ok(wire.length <= MAX_WIRE_FRAME_BYTES);
      assert.deepEqual(
        JSON.stringify(decodeFrame(untrusted(wire.subarray(4))), bytesAsHex),
        JSON.stringify(received({ ...each }), bytesAsHex),
      );
      assert.equal(Buffer.compare(encodeFrame(decodeFrame(untrusted(wire.subarray(4)))), wire), 0);
    }),
    { numRuns: 500 },
  );
});

function bytesAsHex(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

/** What is written for a frame; nothing when it is refused. */
function written(frame: Frame): string {
  try {
    return Buffer.from(encodeFrame(frame)).toString("latin1");
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError);
    return "";
  }
}

test("a frame that claims a decision, or anything else unknown, is rejected", () => {
  const claims: WireMap[] = [
    { ...request, decision: "allow" },
    { ...request, allowed: true },
    { t: "response", x: 1, status: 200, headers: {}, verdict: "allow" },
    { t: "body", x: 1, data: Uint8Array.of(1), decision: "allow" },
    { t: "end", x: 1, decision: "allow" },
    { t: "egress", x: 1, host: "a.example", port: 443, approved: true },
    { t: "decision", x: 1, allow: true },
    { t: "allow", x: 1 },
  ];
  for (const claim of claims) {
    assert.throws(() => received(claim), { code: "WIRE_MALFORMED" });
    assert.ok(!written(claim as unknown as Frame).includes("allow"));
  }
});

test("what a peer chose never appears in the message", () => {
  assert.throws(
    () => received({ ...request, headers: { "Secret-Name": "x" } }),
    (error: Error) => !error.message.includes("ecret"),
  );
  assert.throws(
    () => received({ ...request, secretdecision: 1 }),
    (error: Error) => !error.message.includes("secret"),
  );
});

const outside: readonly { what: string; map: WireMap }[] = [
  { what: "no type", map: { x: 1 } },
  { what: "no exchange number", map: { t: "end" } },
  { what: "exchange number 0", map: { t: "end", x: 0 } },
  { what: "exchange number 2^32", map: { t: "end", x: 2 ** 32 } },
  { what: "an exchange number as text", map: { t: "end", x: "1" } },
  { what: "a lower-case method", map: { ...request, method: "post" } },
  { what: "a long method", map: { ...request, method: "A".repeat(17) } },
  { what: "a relative path", map: { ...request, path: "mcp" } },
  { what: "a path with a space", map: { ...request, path: "/a b" } },
  { what: "a path with a line break", map: { ...request, path: "/a\r\nb" } },
  { what: "a path too long", map: { ...request, path: `/${"a".repeat(MAX_PATH)}` } },
  { what: "an upper-case field name", map: { ...request, headers: { Host: "a" } } },
  { what: "an empty field name", map: { ...request, headers: { "": "a" } } },
  { what: "a field name with a colon", map: { ...request, headers: { "a:b": "a" } } },
  { what: "a field name too long", map: { ...request, headers: { ["a".repeat(MAX_HEADER_NAME + 1)]: "a" } } },
  { what: "a field value with a line break", map: { ...request, headers: { a: "b\r\nc: d" } } },
  { what: "a field value with a NUL", map: { ...request, headers: { a: "\0" } } },
  { what: "a field value outside Latin-1", map: { ...request, headers: { a: "\u0100" } } },
  { what: "a field value too long", map: { ...request, headers: { a: "a".repeat(MAX_HEADER_VALUE + 1) } } },
  { what: "a field value that is a number", map: { ...request, headers: { a: 1 } } },
  {
    what: "too many fields",
    map: {
      ...request,
      headers: Object.fromEntries(Array.from({ length: MAX_HEADERS + 1 }, (_, index) => [`h${index}`, ""])),
    },
  },
  {
    what: "too many field bytes",
    map: { ...request, headers: { a: "a".repeat(MAX_HEADERS_BYTES / 2), b: "b".repeat(MAX_HEADERS_BYTES / 2 - 1) } },
  },
  { what: "a host with a slash", map: { t: "egress", x: 1, host: "a/b", port: 1 } },
  { what: "an upper-case host", map: { t: "egress", x: 1, host: "A.example", port: 1 } },
  { what: "an empty host", map: { t: "egress", x: 1, host: "", port: 1 } },
  { what: "port 0", map: { t: "egress", x: 1, host: "a", port: 0 } },
  { what: "port 65536", map: { t: "egress", x: 1, host: "a", port: 65_536 } },
  { what: "an empty identifier", map: { ...scan, session: "" } },
  { what: "an identifier with a slash", map: { ...scan, kind: "a/b" } },
  { what: "an identifier too long", map: { ...scan, session: "a".repeat(MAX_IDENTIFIER + 1) } },
  { what: "a place beyond the largest log", map: { ...append, first: MAX_LOG_SIZE + 1 } },
  { what: "a proof without a size", map: { t: "prove", x: 1, index: 0 } },
  { what: "a cosigning that names a size", map: { t: "cosign", x: 1, size: 1 } },
  { what: "a tree without a path", map: { t: "tree", x: 1 } },
  { what: "a tree at a relative path", map: { t: "tree", x: 1, tree: "srv/server" } },
  { what: "a tree whose path has a control character", map: { t: "tree", x: 1, tree: "/srv/\n" } },
  { what: "a tree whose path is too long", map: { t: "tree", x: 1, tree: `/${"x".repeat(511)}` } },
  { what: "a scan for null", map: { t: "scan", x: 1, session: null } },
  { what: "status 199", map: { t: "response", x: 1, status: 199, headers: {} } },
  { what: "status 600", map: { t: "response", x: 1, status: 600, headers: {} } },
  { what: "an empty body", map: { t: "body", x: 1, data: new Uint8Array(0) } },
  { what: "a body too large", map: { t: "body", x: 1, data: new Uint8Array(MAX_DATA_BYTES + 1) } },
  { what: "a body as text", map: { t: "body", x: 1, data: "a" } },
  { what: "an error code in lower case", map: { t: "error", x: 1, code: "internal", message: "" } },
  { what: "an error message with a line break", map: { t: "error", x: 1, code: "INTERNAL", message: "a\nb" } },
  {
    what: "an error message too long",
    map: { t: "error", x: 1, code: "INTERNAL", message: "a".repeat(MAX_ERROR_MESSAGE + 1) },
  },
];

for (const { what, map } of outside) {
  test(`${what} is outside the shapes, to be read and to be written`, () => {
    assert.throws(() => received(map), { name: "CmcpError", code: "WIRE_MALFORMED" });
    assert.throws(() => encodeFrame(map as unknown as Frame), { name: "CmcpError", code: "WIRE_MALFORMED" });
  });
}

test("the limits themselves pass", () => {
  received({ ...request, method: "A".repeat(16), path: `/${"a".repeat(MAX_PATH - 1)}` });
  received({ ...request, headers: { ["a".repeat(MAX_HEADER_NAME)]: "a".repeat(MAX_HEADER_VALUE) } });
  received({
    ...request,
    headers: Object.fromEntries(Array.from({ length: MAX_HEADERS }, (_, index) => [`h${index}`, ""])),
  });
  received({ ...request, headers: { a: "a".repeat(MAX_HEADERS_BYTES / 2), b: "b".repeat(MAX_HEADERS_BYTES / 2 - 2) } });
  received({ t: "egress", x: 0xffff_ffff, host: "[::1]", port: 65_535 });
  received({ ...append, first: MAX_LOG_SIZE });
  received({ ...scan, kind: "a".repeat(MAX_IDENTIFIER) });
  received({ t: "body", x: 1, data: new Uint8Array(MAX_DATA_BYTES) });
  received({ t: "error", x: 1, code: "INTERNAL", message: "a".repeat(MAX_ERROR_MESSAGE) });
});

test("the largest request head fits one frame", () => {
  const headers = Object.fromEntries([
    ["a", "a".repeat(MAX_HEADER_VALUE)],
    ["b", "b".repeat(MAX_HEADERS_BYTES - MAX_HEADER_VALUE - 2 - 4 * 62)],
    ...Array.from({ length: 62 }, (_, index) => [`h${100 + index}`, ""]),
  ]);
  const wire = encodeFrame({ ...request, method: "A".repeat(16), path: `/${"a".repeat(MAX_PATH - 1)}`, headers });
  assert.ok(wire.length <= MAX_WIRE_FRAME_BYTES);
});
