import { startGateway } from "../../gateway/gateway.ts";
import { ALLOW_ALL } from "../../gateway/deployment.ts";
import type { Listed } from "../load/job.ts";
import { median, TARGETS } from "../plan.ts";
import { atMost, figure, type Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";
import { order } from "./order.ts";
import { RULES, type Setup } from "./setup.ts";
import { rules } from "../call.ts";

/** Tools of the catalogs that are compared, and servers that offer them. */
const FEW = 500;
const MANY = 10_000;
const SERVERS = 4;

function deployment({ setUp }: Bench, tools: number): Promise<Setup> {
  const each = tools / SERVERS;
  const names = Array.from({ length: SERVERS }, (_, server) =>
    Array.from({ length: each }, (_name, index) => `echo_text_${server * each + index}`),
  );
  return setUp({ tools: names, policies: `${rules(RULES, [])}${ALLOW_ALL}` });
}

/** What a page of `tools/list` takes with a catalog of one page, and with one of many. */
export async function lists(bench: Bench): Promise<Row[]> {
  const gateways = [];
  const stops: (() => Promise<unknown>)[] = [];
  try {
    for (const tools of [FEW, MANY]) {
      const setup = await deployment(bench, tools);
      const gateway = await startGateway(setup.config, setup.environment);
      stops.push(() => gateway.stop());
      gateways.push({ port: Number(new URL(gateway.url).port), token: setup.tokens[0] });
    }
    const [few, many] = gateways;
    if (few === undefined || many === undefined) throw new Error("a gateway did not start");
    // The first list of a principal decides each tool; later ones find the verdicts.
    const whole = (gateway: typeof few, times: number): Promise<Listed> =>
      order<Listed>(bench.generator, { kind: "list", ...gateway, times });
    const first = await whole(many, 1);
    await whole(few, 20);
    const rounds: { few: number; many: number; list: number; tools: number }[] = [];
    for (let round = 0; round < bench.plan.rounds; round += 1) {
      const one = await whole(few, 20);
      const all = await whole(many, 1);
      const list = all.pages.reduce((sum, page) => sum + page, 0);
      rounds.push({ few: median(one.pages), many: median(all.pages), list, tools: all.tools });
    }
    if (rounds.some(({ tools }) => tools !== MANY)) throw new Error("a list does not have every tool");
    return [
      figure(
        `a page of ${FEW}, of ${FEW} tools`,
        rounds.map((round) => round.few),
        "ms",
        "p50",
      ),
      figure(
        `a page of ${FEW}, of ${MANY} tools`,
        rounds.map((round) => round.many),
        "ms",
        `p50; the slowest of the first list ${Math.max(...first.pages).toFixed(0)} ms`,
      ),
      atMost(
        `a page of ${MANY} tools ÷ one of ${FEW}`,
        { value: rounds.map((round) => round.many / round.few), bound: TARGETS.pageGrowth },
        "×",
        "round by round",
      ),
      figure(
        `the whole list of ${MANY} tools`,
        rounds.map(({ list }) => list),
        "ms",
        `${first.pages.length} pages`,
      ),
    ];
  } finally {
    for (const stop of stops) await stop();
  }
}
