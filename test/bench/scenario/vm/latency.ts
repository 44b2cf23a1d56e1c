import { serveComposed } from "../../../conformance/policy-tee/composed-host.ts";
import { startGateway } from "../../../gateway/gateway.ts";
import { releaseMachine, temporaryFolder } from "../../../vm/image.ts";
import { placeOf } from "../../../vm/machine-target.ts";
import { TOOL } from "../../call.ts";
import type { Measured } from "../../load/job.ts";
import { median } from "../../plan.ts";
import { figure, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { order } from "../order.ts";
import { owning } from "./owner.ts";

/** What a call costs more when its enclave is a machine: the published image against the process enclave, one connection, in turn. */
export async function latency({ plan, setUp, generator }: Bench): Promise<readonly Row[]> {
  const setup = await setUp();
  const [token] = setup.tokens;
  return await owning(async (owner) => {
    const gateway = await startGateway(setup.config, setup.environment);
    owner.after(() => gateway.stop());
    const machine = await serveComposed(
      owner,
      placeOf(releaseMachine(), temporaryFolder(owner), owner),
      setup.config,
      setup.environment,
    );
    const sample = async (url: string, warmMs: number): Promise<Measured> =>
      await order<Measured>(generator, {
        kind: "measure",
        port: Number(new URL(url).port),
        tokens: [token],
        tools: [TOOL],
        connections: 1,
        warmMs,
        measureMs: plan.measureMs,
        pids: [],
      });
    const taken: { process: Measured; machine: Measured }[] = [];
    for (let round = 0; round < plan.rounds; round += 1) {
      const warmMs = round === 0 ? plan.firstWarmMs : plan.warmMs;
      taken.push({ process: await sample(gateway.url, warmMs), machine: await sample(machine.url, warmMs) });
    }
    const row = (what: "p50" | "p99"): Row => {
      const of = (side: "process" | "machine"): number => median(taken.map((pair) => pair[side][what]));
      return figure(
        `added ${what} of vsock and machine`,
        median(taken.map((pair) => pair.machine[what] - pair.process[what])),
        "ms",
        `process ${of("process").toPrecision(3)}, machine ${of("machine").toPrecision(3)} ms; QEMU emulates every instruction of the enclave`,
      );
    };
    return [row("p50"), row("p99")];
  });
}
