import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { CLI, startGateway } from "../../gateway/gateway.ts";
import { CALL_BYTES, TOOLS } from "../call.ts";
import type { Measured, PacedServed, Sized } from "../load/job.ts";
import { CONNECTIONS, TARGETS } from "../plan.ts";
import { atLeast, figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { order } from "./order.ts";
import type { Setup } from "./setup.ts";

const PRINCIPALS = 8;
/** Bytes of a call's answer: about those of the call, and a large result of 200 KB. */
const LARGE = 200_000;
/** Calls a second of the load whose latency is compared. */
const PER_SECOND = 200;

/** What carries a load: as it is, sealed by the generator, or by `cmcp connect` before the gateway. */
type Way = "plain" | "sealed" | "connect";

/** A gateway that takes both, and `cmcp connect` before it. */
interface Served {
  readonly setup: Setup;
  readonly port: number;
  readonly pids: readonly number[];
  readonly connect: { readonly port: number; readonly pid: number };
}

/** Starts `cmcp connect` as an operator does. */
async function startConnect(url: string, stops: (() => Promise<unknown>)[]): Promise<Served["connect"]> {
  const words = ["connect", "--url", url, "--listen", "127.0.0.1:0", "--allow-software-only"];
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CLI, ...words], {
    stdio: ["ignore", "pipe", "ignore"],
    env: { PATH: process.env["PATH"] },
  });
  stops.push(async () => {
    child.kill("SIGTERM");
    await once(child, "exit");
  });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { port: Number(new URL(line).port), pid: child.pid ?? 0 };
}

async function start(bench: Bench, stops: (() => Promise<unknown>)[]): Promise<Served> {
  const setup = await bench.setUp({ tools: [[...TOOLS, `text_of_${LARGE}`]], principals: PRINCIPALS });
  const gateway = await startGateway(setup.config, setup.environment);
  stops.push(() => gateway.stop());
  const connect = await startConnect(gateway.url, stops);
  return { setup, port: Number(new URL(gateway.url).port), pids: [gateway.pid, gateway.enclave_pid], connect };
}

/** A load on one of the ways. */
function loadOf({ generator, plan }: Bench, { setup, port, pids, connect }: Served) {
  const { tokens } = setup;
  return {
    closed: async (
      way: Way,
      tools: readonly string[],
      connections: number,
      warmMs = plan.warmMs,
    ): Promise<Measured> => {
      const target = way === "connect" ? { port: connect.port, pids: [connect.pid] } : { port, pids };
      const kind = way === "sealed" ? "measure-sealed" : "measure";
      return await order(generator, { kind, ...target, tokens, tools, connections, warmMs, measureMs: plan.measureMs });
    },
    open: async (way: "plain" | "sealed"): Promise<PacedServed> => {
      const kind = way === "sealed" ? "paced-sealed" : "paced";
      const { warmMs, measureMs } = plan;
      return await order(generator, { kind, port, tokens, tools: TOOLS, perSecond: PER_SECOND, warmMs, measureMs });
    },
  };
}

/** Takes samples of two ways in turn, each round beginning with another. */
async function inTurn<T>(
  rounds: number,
  ways: readonly [Way, Way],
  sample: (way: Way) => Promise<T>,
): Promise<readonly (readonly [T, T])[]> {
  const taken: (readonly [T, T])[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const [first, second] = round % 2 === 0 ? ways : ([ways[1], ways[0]] as const);
    const [one, two] = [await sample(first), await sample(second)];
    taken.push(first === ways[0] ? [one, two] : [two, one]);
  }
  return taken;
}

async function throughput(bench: Bench, served: Served): Promise<Row[]> {
  const { closed } = loadOf(bench, served);
  const rows: Row[] = [];
  for (const { name, tools } of [
    { name: "2 KB", tools: TOOLS },
    { name: "200 KB", tools: [`text_of_${LARGE}`] },
  ])
    for (const connections of CONNECTIONS) {
      const taken = await inTurn(bench.plan.rounds, ["plain", "sealed"], (way) => closed(way, tools, connections));
      const label = (what: string): string => `${name}, ${connections} conn: ${what}`;
      const share = taken.map(([plain, sealed]) => sealed.perSecond / plain.perSecond);
      const each = (what: string, value: (one: Measured) => number, unit: string): Row[] =>
        (["plain", "sealed"] as const).map((way, at) =>
          figure(
            label(`${what}, ${way}`),
            taken.map((pair) => value(pair[at === 0 ? 0 : 1])),
            unit,
            "",
          ),
        );
      rows.push(
        ...each("calls/s", ({ perSecond }) => perSecond, "/s"),
        atLeast(label("sealed divided by plain"), { value: share, bound: TARGETS.sealedShare }, "", "round by round"),
        ...each("CPU of a call", ({ cpuPerCall }) => cpuPerCall, "µs"),
        ...each("p50", ({ p50 }) => p50, "ms"),
      );
    }
  return rows;
}

async function latency(bench: Bench, served: Served): Promise<Row[]> {
  const { open } = loadOf(bench, served);
  const taken = await inTurn(bench.plan.rounds, ["plain", "sealed"], (way) => open(way === "sealed" ? way : "plain"));
  const label = `${PER_SECOND} calls/s of 2 KB`;
  const late = Math.max(...taken.flat().map(({ lateP50 }) => lateP50)).toPrecision(2);
  return [
    figure(
      `${label}: p50, plain`,
      taken.map(([{ p50 }]) => p50),
      "ms",
      "",
    ),
    figure(
      `${label}: p50, sealed`,
      taken.map(([, { p50 }]) => p50),
      "ms",
      "",
    ),
    figure(
      `${label}: added p50`,
      taken.map(([plain, sealed]) => sealed.p50 - plain.p50),
      "ms",
      `generator late by at most ${late} ms (p50)`,
    ),
  ];
}

/** What one way through `cmcp connect` costs: its own CPU, and the time of a call beside one that the generator sealed. */
async function connecting(bench: Bench, served: Served): Promise<Row[]> {
  const { closed } = loadOf(bench, served);
  await closed("connect", TOOLS, 8, bench.plan.firstWarmMs / 2);
  const rows: Row[] = [];
  for (const connections of CONNECTIONS) {
    const taken = await inTurn(bench.plan.rounds, ["sealed", "connect"], (way) => closed(way, TOOLS, connections));
    const label = (what: string): string => `connect, ${connections} conn: ${what}`;
    rows.push(
      figure(
        label("calls/s"),
        taken.map(([, { perSecond }]) => perSecond),
        "/s",
        "",
      ),
      figure(
        label("CPU of a call, its own"),
        taken.map(([, { cpuPerCall }]) => cpuPerCall),
        "µs",
        "",
      ),
      figure(
        label("p50"),
        taken.map(([, { p50 }]) => p50),
        "ms",
        "",
      ),
      figure(
        label("added p50"),
        taken.map(([direct, { p50 }]) => p50 - direct.p50),
        "ms",
        "beside calls sealed ahead",
      ),
    );
  }
  return rows;
}

/** Bytes that a call and its answer have more under the seal, with and without padding. */
async function sizes(bench: Bench, stops: (() => Promise<unknown>)[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const padded of [true, false]) {
    const { config, environment, tokens } = await bench.setUp({
      tools: [[...TOOLS, `text_of_${LARGE}`]],
      principals: PRINCIPALS,
      enclave: [`pad_sealed_answers: ${padded}`],
    });
    const gateway = await startGateway(config, environment);
    stops.push(() => gateway.stop());
    for (const { name, tool, bytes } of [
      { name: "2 KB", tool: TOOLS[0] ?? "", bytes: CALL_BYTES },
      { name: "200 KB", tool: `text_of_${LARGE}`, bytes: CALL_BYTES },
    ]) {
      const port = Number(new URL(gateway.url).port);
      const sized = await order<Sized>(bench.generator, {
        kind: "size-sealed",
        port,
        tokens,
        tools: [tool],
        bytes,
        padded,
      });
      const { request, sealedRequest, answer, sealedAnswer } = sized;
      const how = padded ? "padded" : "not padded";
      const answered = `answer of ${name}, ${how}: added`;
      if (tool === TOOLS[0])
        rows.push(figure(`call of 2 KB, ${how}: added`, sealedRequest - request, "B", `${request} B in the clear`));
      rows.push(figure(answered, sealedAnswer - answer, "B", `${answer} B in the clear`));
    }
  }
  return rows;
}

/** What the seal costs, beside calls in the clear to the same gateway in the same run. */
export async function sealed(bench: Bench): Promise<Row[]> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const served = await start(bench, stops);
    const { closed } = loadOf(bench, served);
    // V8 compiles while it runs, each way for itself.
    for (const way of ["plain", "sealed"] as const) await closed(way, TOOLS, 8, bench.plan.firstWarmMs / 2);
    return [
      ...(await throughput(bench, served)),
      ...(await latency(bench, served)),
      ...(await connecting(bench, served)),
      ...(await sizes(bench, stops)),
    ];
  } finally {
    for (const stop of stops.toReversed()) await stop();
  }
}
