/** Prints the figures of docs/reference/flows.md: what the flow table finds, what it finds wrongly, and what it takes. */
import { DEFAULT_SLOTS, FlowKey, FlowTable, tableBytes } from "@cmcp/flows";
import { Dice, note, paraphrased, record, TRANSFORMATIONS } from "./texts.ts";

const TRIALS = 1000;
const LENGTHS = [24, 40, 80] as const;
const SOURCE = { server: "clinic", tool: "read_patient", labels: ["hipaa_phi"] };
/** Text around an excerpt. */
const BEFORE = "Hi, as promised: ";
const AFTER = " - best wishes";

const key = new FlowKey();
const print = (line: string): boolean => process.stdout.write(`${line}\n`);
const percent = (count: number, of: number = TRIALS): string => `${((count * 100) / of).toFixed(1)} %`;

function tableOf(text: string): FlowTable {
  const table = new FlowTable(key, 1 << 10);
  table.add(SOURCE, { content: [{ type: "text", text }] });
  return table;
}

/** Of all trials how many match. */
function matches(trial: (dice: Dice) => { readonly table: FlowTable; readonly text: string }): number {
  const dice = new Dice(1);
  let count = 0;
  for (let at = 0; at < TRIALS; at += 1) {
    const { table, text } = trial(dice);
    if (table.match({ to: "friend@example.org", text }).flows.length > 0) count += 1;
  }
  return count;
}

function recall(): void {
  print(`\n| excerpt | ${LENGTHS.map((length) => `${length} characters`).join(" | ")} |\n| --- | --- | --- | --- |`);
  for (const [name, transform] of TRANSFORMATIONS) {
    const found = LENGTHS.map((length) =>
      matches((dice) => {
        const whole = record(dice);
        const start = dice.below(whole.length - length);
        return { table: tableOf(whole), text: BEFORE + transform(whole.slice(start, start + length)) + AFTER };
      }),
    );
    print(`| ${name} | ${found.map((count) => percent(count)).join(" | ")} |`);
  }
  const whole = matches((dice) => {
    const text = record(dice);
    return { table: tableOf(text), text: paraphrased(text) };
  });
  print(`\nparaphrase of a whole record, details kept: ${percent(whole)}`);
}

function wrong(): void {
  const shares = [1, 25, 50, 75].map((least) => {
    const dice = new Dice(2);
    let count = 0;
    for (let at = 0; at < TRIALS; at += 1) {
      const table = tableOf(record(dice));
      if ((table.match({ text: record(dice) }).flows[0]?.coverage ?? 0) >= least) count += 1;
    }
    return `${least} %: ${percent(count)}`;
  });
  print(`another record of the same frame, by least coverage: ${shares.join(", ")}`);
  const unrelated = matches((dice) => ({ table: tableOf(record(dice)), text: note(dice) }));
  print(`an unrelated note: ${percent(unrelated)}`);
  const full = new FlowTable(key);
  const dice = new Dice(3);
  for (let at = 0; at < 500; at += 1) full.add(SOURCE, record(dice));
  print(`an unrelated note after 500 records: ${percent(matches((own) => ({ table: full, text: note(own) })))}`);
}

function cost(): void {
  for (const [name, size] of [
    ["1 KB", 1],
    ["64 KB", 64],
    ["1 MB", 1024],
  ] as const) {
    const text = textOf(size * 1024);
    const table = new FlowTable(key);
    const added = perKilobyte(size, () => table.add(SOURCE, text));
    const matched = perKilobyte(size, () => table.match({ text }));
    print(
      `${name}: add ${added} ms of processor time per KB, match ${matched}, ${table.used} hashes, complete ${table.complete}`,
    );
  }
  print(`memory of a table: ${tableBytes(DEFAULT_SLOTS) / 1024} KiB; of the key of an instance: 512 KiB`);
}

function textOf(length: number): string {
  const dice = new Dice(4);
  const letters = Array.from({ length }, () => "abcdefghijklmnopqrstuvwxyz     "[dice.below(31)] ?? "");
  return letters.join("");
}

function perKilobyte(size: number, work: () => void): string {
  const times = Math.max(2, Math.ceil(256 / size));
  for (let warm = 0; warm < times; warm += 1) work();
  const start = process.cpuUsage();
  for (let time = 0; time < times; time += 1) work();
  const { user, system } = process.cpuUsage(start);
  return ((user + system) / 1000 / times / size).toFixed(3);
}

recall();
wrong();
cost();
