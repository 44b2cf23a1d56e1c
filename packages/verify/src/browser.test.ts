import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { canonicalBytes } from "@cmcp/boundary";
import { build } from "esbuild";
import { EXPECTED, recordOf } from "./testing/session.ts";
import type { Verdict } from "./verdict.ts";
import type * as Verifier from "./index.ts";

test("the package bundles for a browser, imports nothing of Node, and verifies there", async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(import.meta.dirname, "index.ts")],
    bundle: true,
    write: false,
    metafile: true,
    platform: "browser",
    format: "iife",
    globalName: "verifier",
    logLevel: "silent",
  });
  const imported = Object.values(metafile.inputs).flatMap(({ imports }) => imports);
  assert.deepEqual(
    imported.filter(({ external }) => external === true).map(({ path }) => path),
    [],
  );
  // A realm with what a browser has and Node's globals absent.
  const realm = { crypto: webcrypto, TextEncoder, TextDecoder, atob, btoa, URL, structuredClone, Uint8Array };
  const verifier = runInNewContext(`${outputFiles[0]?.text ?? ""};verifier`, realm) as typeof Verifier;
  const { claim, bundle, receipts } = recordOf();
  const files = {
    claim: canonicalBytes(claim),
    bundle: canonicalBytes(bundle),
    receipts: receipts.map((receipt) => canonicalBytes(receipt)),
  };
  const verdict: Verdict = await verifier.verifyClaim(files, EXPECTED, webcrypto);
  assert.deepEqual([verdict.outcome, verdict.completeness], ["accepted", "closed session"]);
});

test("the bundle for a browser stays small", async () => {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "index.ts")],
    bundle: true,
    write: false,
    platform: "browser",
    format: "esm",
    minify: true,
    logLevel: "silent",
  });
  const size = gzipSync(outputFiles[0]?.contents ?? new Uint8Array()).length;
  assert.ok(size <= 150 * 1024, `${size} bytes gzipped`);
});
