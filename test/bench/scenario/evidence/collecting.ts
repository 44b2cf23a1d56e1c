import { performance } from "node:perf_hooks";
import { collectTpm } from "../../../../attestation/src/tpm/collect.ts";
import { NO_SWTPM, Swtpm } from "../../../../attestation/src/tpm/transport/testing/swtpm.ts";
import { TARGETS, median, type Plan } from "../../plan.ts";
import { atMost, figure, notMeasured, type Row } from "../../report/row.ts";

const WHAT = "collecting TPM evidence from swtpm";

/** How long the gateway needs for evidence of a software TPM: two quotes, registers, key. */
export async function collecting(plan: Plan): Promise<readonly Row[]> {
  const swtpm = await Swtpm.start();
  if (swtpm === null) return [notMeasured(WHAT, NO_SWTPM)];
  const taken: number[] = [];
  try {
    for (let round = 0; round <= plan.collections; round += 1) {
      const started = performance.now();
      await collectTpm(new Uint8Array(64).fill(round), Date.now(), {
        open: async () => await swtpm.connect(),
        eventLogPath: null,
      });
      taken.push(performance.now() - started);
    }
  } finally {
    await swtpm.stop();
  }
  const [first = Number.NaN, ...later] = taken;
  return [
    atMost(
      WHAT,
      { value: median(later), bound: TARGETS.collectTpmMs },
      "ms",
      `two quotes, registers and a key made anew, median of ${plan.collections}`,
    ),
    figure(`${WHAT}, the first time`, first, "ms", "in a process that has just started"),
  ];
}
