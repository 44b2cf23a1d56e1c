import assert from "node:assert/strict";
import { test } from "node:test";
import { fetchAmdCertificates, fetchTdQuote, type MetadataRequest, type MetadataService } from "./metadata.ts";

const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };

/** A service that answers so; what it was asked is kept. */
function answering(value: unknown, status = 200): { ask: MetadataService; asked: MetadataRequest[] } {
  const asked: MetadataRequest[] = [];
  const body = new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
  return {
    asked,
    ask: (request) => {
      asked.push(request);
      return Promise.resolve({ status, body });
    },
  };
}

test("a quote is asked for with the TDREPORT, and read from base64url with padding or without", async () => {
  for (const quote of ["AQID", "-_8=", "-_8"]) {
    const { ask, asked } = answering({ quote, more: 1 });
    assert.deepEqual(await fetchTdQuote(ask, Uint8Array.of(0xff, 1)), new Uint8Array(Buffer.from(quote, "base64url")));
    const [{ body, ...rest }] = asked as [MetadataRequest];
    assert.deepEqual(rest, {
      method: "POST",
      path: "/acc/tdquote",
      headers: { "content-type": "application/json" },
    });
    assert.equal(new TextDecoder().decode(body ?? undefined), '{"report":"_wE"}');
  }
});

test("certificates are asked for as the service wants it, the chip's before the chain", async () => {
  const { ask, asked } = answering({ vcekCert: "a", certificateChain: "b", cacheControl: "1" });
  assert.deepEqual(
    (await fetchAmdCertificates(ask)).map((bytes) => new TextDecoder().decode(bytes)),
    ["a", "b"],
  );
  assert.deepEqual(asked, [
    { method: "GET", path: "/metadata/THIM/amd/certification", headers: { Metadata: "true" }, body: null },
  ]);
});

test("an answer that is none is refused with what it was about", async () => {
  const quote = async (value: unknown, status?: number) =>
    await fetchTdQuote(answering(value, status).ask, Uint8Array.of(1));
  for (const [value, message] of [
    [{ quote: "" }, /no usable TDX quote: an answer of another form/],
    [{ quote: 1 }, /another form/],
    [{}, /another form/],
    [{ quote: "*" }, /no usable TDX quote: not base64url/],
    ["", /about the TDX quote is no JSON/],
    ['{"quote":"AQID","quote":"AQID"}', /is no JSON/],
    [`{"quote":"AQID","x":${"[".repeat(4)}${"]".repeat(4)}}`, /is no JSON/],
  ] as const)
    await assert.rejects(quote(value), { ...UNAVAILABLE, message });
  assert.ok(await quote(`{"quote":"AQID","x":${"[".repeat(3)}${"]".repeat(3)}}`));
  const items = (count: number) => ({ quote: "AQID", x: Array.from({ length: count - 5 }, () => 0) });
  assert.ok(await quote(items(64)));
  await assert.rejects(quote(items(65)), { ...UNAVAILABLE, message: /is no JSON/ });
  for (const status of [199, 201, 404])
    await assert.rejects(quote({ quote: "AQID" }, status), { ...UNAVAILABLE, message: new RegExp(`status ${status}`) });
  for (const value of [
    { vcekCert: "", certificateChain: "b" },
    { vcekCert: "a", certificateChain: "" },
  ])
    await assert.rejects(fetchAmdCertificates(answering(value).ask), { ...UNAVAILABLE, message: /AMD certificates/ });
});
