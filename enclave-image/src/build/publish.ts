import { hash, type KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LOCK_PATH } from "../lock/lock.ts";
import { writeMeasurements } from "@cmcp/measure";
import { digestOf, manifestBytes, MANIFEST, SIGNATURE, signManifest, type Manifest } from "./manifest.ts";
import { MEASUREMENTS, measuredShapes } from "./measured-shapes.ts";

/**
 * Writes an image's files into `folder`, what they measure as, and the manifest over all of it, signed when a key is
 * given.
 *
 * @param outputs files by name
 * @param kernel `uname -r` of the kernel among them
 * @throws CmcpError `MEASURE_INPUT_INVALID`, `MEASURE_NOT_PREDICTABLE`
 */
export async function publish(
  folder: string,
  outputs: ReadonlyMap<string, Uint8Array>,
  kernel: string,
  key: KeyObject | null,
): Promise<Manifest> {
  for (const [name, bytes] of outputs) writeFileSync(join(folder, name), bytes);
  await writeMeasurements(measuredShapes(folder), join(folder, MEASUREMENTS));
  const names = [...outputs.keys(), MEASUREMENTS];
  const files: Manifest["files"] = Object.fromEntries(
    names.map((name) => [name, digestOf(readFileSync(join(folder, name)))]),
  );
  const inputs = hash("sha256", readFileSync(LOCK_PATH));
  const manifest: Manifest = { version: 1, inputs, kernel, files };
  const bytes = manifestBytes(manifest);
  writeFileSync(join(folder, MANIFEST), bytes);
  if (key !== null) writeFileSync(join(folder, SIGNATURE), `${JSON.stringify(signManifest(bytes, key), null, 2)}\n`);
  return manifest;
}
