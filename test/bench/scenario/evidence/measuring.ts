import { mkdtemp, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { writeMeasurements } from "@cmcp/measure";
import { measuredShapes } from "../../../../enclave-image/src/build/measured-shapes.ts";
import { ROOT } from "../../../gateway/deployment.ts";
import { TARGETS, median, type Plan } from "../../plan.ts";
import { atMost, notMeasured, type Row } from "../../report/row.ts";

const WHAT = "calculating what the image measures as";
const IMAGE = join(ROOT, "out/image");

/** How long the launch measurements of the whole image take, for every platform it is for. */
export async function measuring(plan: Plan): Promise<readonly Row[]> {
  if (!existsSync(join(IMAGE, "manifest.json")))
    return [notMeasured(WHAT, "there is no image in out/image; run make image")];
  const folder = await mkdtemp(join(tmpdir(), "cmcp-bench-measure-"));
  const taken: number[] = [];
  let entries = 0;
  try {
    for (let round = 0; round < plan.rounds; round += 1) {
      const started = performance.now();
      const { accepted } = await writeMeasurements(measuredShapes(IMAGE), join(folder, "measurements.json"));
      taken.push((performance.now() - started) / 1000);
      entries = accepted.length;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return [
    atMost(
      WHAT,
      { value: median(taken), bound: TARGETS.measureSeconds },
      "s",
      `files in, ${entries} accepted launches out, median of ${plan.rounds}; the first ${(taken[0] ?? Number.NaN).toFixed(2)} s`,
    ),
  ];
}
