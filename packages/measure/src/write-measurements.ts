import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { measureImage, type ImageInputs } from "./measure-image.ts";
import type { Measurements } from "./measurements.ts";

/**
 * Computes an image's measurements and writes them to `output`: the same bytes for the same inputs, all of them or no file.
 * @throws CmcpError `MEASURE_INPUT_INVALID`, `MEASURE_NOT_PREDICTABLE`
 */
export async function writeMeasurements(inputs: ImageInputs, output: string): Promise<Measurements> {
  const measurements = await measureImage(inputs);
  const unfinished = `${output}.${randomUUID()}.tmp`;
  try {
    await writeFile(unfinished, `${JSON.stringify(measurements, null, 2)}\n`, { flag: "wx" });
    await rename(unfinished, output);
  } finally {
    await rm(unfinished, { force: true });
  }
  return measurements;
}
