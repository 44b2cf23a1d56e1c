/** `make bench`: what the gateway costs, against a bare proxy on the same machine in the same run. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import process from "node:process";
import { ROOT } from "../gateway/deployment.ts";
import { FULL, QUICK } from "./plan.ts";
import { Child } from "./processes/child.ts";
import { machine } from "./report/machine.ts";
import type { Row } from "./report/row.ts";
import { table } from "./report/table.ts";
import { cedar } from "./scenario/cedar.ts";
import { memory } from "./scenario/memory.ts";
import { profile } from "./scenario/profile.ts";
import { proxying } from "./scenario/proxying.ts";
import { ready } from "./scenario/ready.ts";
import { setUp, type Setup } from "./scenario/setup.ts";
import { stages } from "./scenario/stages.ts";

const { values } = parseArgs({ options: { quick: { type: "boolean", default: false }, profile: { type: "boolean", default: false } } });
const plan = values.quick ? QUICK : FULL;
const facts = machine();
const folder = await mkdtemp(join(tmpdir(), "cmcp-bench-"));
const generator = Child.start("./generator.ts", {});
const setups: Setup[] = [];
const sections: { title: string; rows: readonly Row[] }[] = [];

async function section(title: string, measure: () => Promise<readonly Row[]>): Promise<void> {
  const rows = await measure();
  sections.push({ title, rows });
  process.stdout.write(`${table(title, rows)}\n`);
}

process.stdout.write(`${facts.cpu}, ${facts.cores} cores, ${facts.memoryGiB} GiB, ${facts.system}, Node ${facts.node}\ncommit ${facts.commit}${facts.modified ? " with changes" : ""}, ${plan.mode}, load before ${facts.loadBefore}\n\n`);
try {
  const plain = await setUp(join(folder, "plain"), "plain");
  setups.push(plain);
  if (values.profile) await profile(plain, generator, process.stdout);
  else {
    const pinned = await setUp(join(folder, "pinned"), "tls-pinned");
    setups.push(pinned);
    await section("Plain upstream", () => proxying(plain, generator, plan));
    await section("TLS upstream with a pinned key", () => proxying(pinned, generator, plan));
    await section("Policy", () => cedar(plan));
    const fresh = await setUp(join(folder, "fresh"), "plain");
    setups.push(fresh);
    await section("Start", () => ready(fresh.config, plain.config, plan));
    await section("Stages of one 2 KB call, each alone", () => stages(plain.port, folder, plan));
    await section("Memory of the enclave", () => memory(fresh.config, generator, plan));
    const output = join(ROOT, "benchmarks");
    await mkdir(output, { recursive: true });
    const date = new Date().toISOString().slice(0, 10);
    const path = join(output, `${date}-${facts.commit}${plan.mode === "quick" ? "-quick" : ""}.json`);
    await writeFile(path, `${JSON.stringify({ date, mode: plan.mode, machine: facts, sections }, null, 2)}\n`);
    process.stdout.write(`written to ${path}\n`);
  }
} finally {
  await generator.stop();
  for (const { echo } of setups) await echo.stop();
  await rm(folder, { recursive: true, force: true });
}
