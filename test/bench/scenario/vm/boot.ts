import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { composeHost } from "../../../conformance/policy-tee/composed-host.ts";
import { published, releaseMachine, temporaryFolder } from "../../../vm/image.ts";
import { placeOf } from "../../../vm/machine-target.ts";
import { writeOverlaid } from "../../../vm/overlay.ts";
import { askVitals, type Vitals } from "../../../vm/vitals.ts";
import { median } from "../../plan.ts";
import { cpuMs } from "../../processes/usage.ts";
import { atMost, figure, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import type { Setup } from "../setup.ts";
import { owning } from "./owner.ts";

const TARGETS = { servingSeconds: 6, memoryMiB: 256 } as const;
const MEBI = 2 ** 20;
/** Processors of the machine, as the demonstration's has: the policy compiles on the second while the enclave loads on the first. */
const PROCESSORS = 2;
/** What SEV-SNP images have. */
const ONE_PROCESSOR = 1;
/** Milliseconds without a request before a machine counts as at rest. */
const REST_MS = 3_000;

interface Boot {
  /** Seconds from the start of QEMU until the enclave was launched and provisioned. */
  readonly wallSeconds: number;
  /** Seconds of CPU that QEMU used for it. */
  readonly cpuSeconds: number;
  readonly reachable: Vitals;
  readonly serving: Vitals;
  readonly atRest: Vitals;
}

/** One start of the image with a script that also tells its time; otherwise as published. */
async function boot({ config, environment }: Setup, processors: number): Promise<Boot> {
  return await owning(async (owner) => {
    const folder = temporaryFolder(owner);
    const initramfs = join(folder, "initramfs");
    await writeOverlaid(published("initramfs.cpio.zst"), { scripts: { "enclave.cjs": "timed-enclave.ts" } }, initramfs);
    const machine = releaseMachine();
    if ("unified" in machine.boot) throw new Error("the machine is started from kernel and initramfs");
    const started = performance.now();
    const host = await composeHost(
      owner,
      placeOf({ ...machine, processors, boot: { ...machine.boot, initramfs } }, folder, owner),
      config,
      environment,
    );
    const reachable = await askVitals(folder);
    await host.launch(host.document);
    await host.serve();
    const wallSeconds = (performance.now() - started) / 1000;
    const serving = await askVitals(folder);
    const cpuSeconds = (await cpuMs([host.enclave.pid])) / 1000;
    await delay(REST_MS);
    return { wallSeconds, cpuSeconds, reachable, serving, atRest: await askVitals(folder) };
  });
}

/** How long a machine takes to serve, by the guest's own clock, and what memory it then has in use. */
export async function boots({ plan, setUp }: Bench): Promise<readonly Row[]> {
  const setup = await setUp();
  const taken: Boot[] = [];
  for (let round = 0; round < plan.starts; round += 1) taken.push(await boot(setup, PROCESSORS));
  const alone = await boot(setup, ONE_PROCESSOR);
  const of = (value: (one: Boot) => number): number => median(taken.map(value));
  const each = taken.map(({ serving }) => serving.uptimeSeconds.toFixed(1)).join(", ");
  return [
    atMost(
      "guest time from kernel start to serving",
      { value: of(({ serving }) => serving.uptimeSeconds), bound: TARGETS.servingSeconds },
      "s",
      `under TCG with ${PROCESSORS} processors, launched and provisioned; median of ${each}; reachable at ${of(({ reachable }) => reachable.uptimeSeconds).toFixed(1)} s`,
    ),
    figure(
      "the same with one processor",
      alone.serving.uptimeSeconds,
      "s",
      `one start; reachable at ${alone.reachable.uptimeSeconds.toFixed(1)} s`,
    ),
    figure(
      "start of QEMU to serving",
      of(({ wallSeconds }) => wallSeconds),
      "s",
      "wall time, firmware and vsock daemon included",
    ),
    figure(
      "CPU time of QEMU to serving",
      alone.cpuSeconds,
      "s",
      "with one processor, firmware included; what guest time comes to where nothing else runs, and hardly more where it does",
    ),
    atMost(
      "memory of the machine at rest",
      { value: of(({ atRest }) => atRest.usedBytes) / MEBI, bound: TARGETS.memoryMiB },
      "MiB",
      `MemTotal - MemAvailable in the guest: the unpacked initramfs included, pages of Node that can be unpacked again not; the runtime's resident part ${(of(({ atRest }) => atRest.residentBytes) / MEBI).toFixed(0)} MiB`,
    ),
  ];
}
