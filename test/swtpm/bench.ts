/** Time to collect TPM evidence (two quotes, their registers, the key) from swtpm. Prints a line; fails nothing. */
import process from "node:process";
import { collectTpm } from "../../attestation/src/tpm/collect.ts";
import { NO_SWTPM, Swtpm } from "../../attestation/src/tpm/transport/testing/swtpm.ts";

const ROUNDS = 30;

const swtpm = await Swtpm.start();
if (swtpm === null) process.stdout.write(`not measured: ${NO_SWTPM}\n`);
else {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now();
    await collectTpm(new Uint8Array(64).fill(round), Date.now(), {
      open: async () => await swtpm.connect(),
      eventLogPath: null,
    });
    times.push(performance.now() - started);
  }
  await swtpm.stop();
  const [first = 0] = times;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
  process.stdout.write(
    `TPM evidence from swtpm, ${ROUNDS} times: first ${first.toFixed(1)} ms, p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, slowest ${at(1)} ms\n`,
  );
}
